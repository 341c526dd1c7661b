# Ends of Miettinen-Nurminen score intervals, from rpact's restricted maximum likelihood (Farrington and Manning).
# Rscript score_interval.R prints them; R 4.2.2, rpact 3.3.4.
suppressMessages(library(rpact))
restricted <- get(".getFarringtonManningValues", envir = asNamespace("rpact"))

score <- function(gap, x1, n1, x0, n0) {
  found <- restricted(rate1 = x1 / n1, rate2 = x0 / n0, theta = gap, allocation = n1 / n0, method = "diff")
  variance <- found$ml1 * (1 - found$ml1) / n1 + found$ml2 * (1 - found$ml2) / n0
  (x1 / n1 - x0 / n0 - gap) / sqrt(variance * (n1 + n0) / (n1 + n0 - 1))
}

ends <- function(x1, n1, x0, n0) {
  gap <- x1 / n1 - x0 / n0
  at <- function(side, from, to) {
    uniroot(function(d) score(d, x1, n1, x0, n0) + side * qnorm(0.975), c(from, to), tol = 1e-13)$root
  }
  lower <- at(-1, max(-1 + 1e-6, gap - 0.6), gap - 1e-7)
  # Ten of ten against none of ten has no upper end below 1.
  upper <- if (x1 == n1 && x0 == 0) 1 else at(1, gap + 1e-7, min(1 - 1e-6, gap + 0.6))
  print(c(lower, upper), digits = 12)
}

ends(56, 70, 48, 80)
ends(9, 10, 3, 10)
ends(5, 56, 0, 29)
ends(10, 10, 0, 10)
ends(7, 20, 14, 22)
ends(1, 1000, 9, 900)
