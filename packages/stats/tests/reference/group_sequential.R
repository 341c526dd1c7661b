# Writes group_sequential.json: boundaries, inflation and stage-wise inference as rpact 3.3.4 (R 4.2.2) has them.
# Run: Rscript group_sequential.R > group_sequential.json
suppressMessages(library(rpact))
setLogLevel("DISABLED")
numbers <- function(x) paste0("[", paste(ifelse(is.finite(x), sprintf("%.15g", x), "null"), collapse = ", "), "]")

fractions <- list(
  `five equal` = (1:5) / 5, `two` = c(0.5, 1), `uneven` = c(0.1, 0.35, 0.4, 0.9, 1), `one` = c(1),
  `fourteen equal` = (1:14) / 14, `weekly of 28` = c(7, 14, 21, 28) / 28
)
families <- list(
  list(name = "OBrienFleming", type = "asOF", parameter = NA), list(name = "Pocock", type = "asP", parameter = NA),
  list(name = "PowerFamily", type = "asKD", parameter = 2), list(name = "PowerFamily", type = "asKD", parameter = 3),
  list(name = "HwangShihDeCani", type = "asHSD", parameter = -4),
  list(name = "HwangShihDeCani", type = "asHSD", parameter = 1)
)
design <- function(family, rates, alpha, sided, beta = 0.2) {
  arguments <- list(
    kMax = length(rates), informationRates = rates, alpha = alpha, sided = sided, beta = beta,
    typeOfDesign = family$type, tolerance = 1e-10
  )
  if (!is.na(family$parameter)) arguments$gammaA <- family$parameter
  if (length(rates) == 1) arguments <- list(kMax = 1, alpha = alpha, sided = sided, beta = beta)
  do.call(getDesignGroupSequential, arguments)
}
rows <- c()
for (family in families) for (name in names(fractions)) for (sided in c(1, 2)) {
  alpha <- if (sided == 1) 0.025 else 0.05
  d <- design(family, fractions[[name]], alpha, sided)
  inflation <- if (d$kMax == 1) 1 else getDesignCharacteristics(d)$inflationFactor
  rows <- c(rows, sprintf(
    '{"family": "%s", "parameter": %s, "sided": %d, "alpha": %g, "fractions": %s, "critical": %s, "inflation_at_80": %.12g}',
    family$name, if (is.na(family$parameter)) "null" else sprintf("%g", family$parameter), sided, alpha,
    numbers(fractions[[name]]), numbers(d$criticalValues), inflation
  ))
}
# A log-rank data set hands rpact the cumulative z itself; its final results are log hazard ratios.
stagewise <- c()
cases <- list(
  list(rates = c(0.3, 0.7, 1), events = c(30, 70), z = c(1.1, 3.2)),
  list(rates = c(0.3, 0.7, 1), events = c(30, 70, 100), z = c(1.1, 1.3, 2.1)),
  list(rates = c(0.3, 0.7, 1), events = c(30, 70, 100), z = c(0.4, -0.3, 0.2)),
  list(rates = c(0.3, 0.7, 1), events = c(30), z = c(4.5)),
  list(rates = (1:5) / 5, events = (1:4) * 20, z = c(0.5, 1.2, 2, 3))
)
for (family in families[1:2]) for (case in cases) {
  d <- design(family, case$rates, 0.025, 1)
  k <- length(case$z)
  data <- getDataset(cumulativeEvents = case$events, cumulativeLogRanks = case$z)
  r <- suppressWarnings(getAnalysisResults(d, data, stage = k, directionUpper = TRUE))
  stagewise <- c(stagewise, sprintf(
    '{"family": "%s", "fractions": %s, "events": %g, "z": %.15g, "p": %.12g, "lower": %.12g, "upper": %.12g, "median": %.12g}',
    family$name, numbers(case$rates[1:k]), case$events[k], case$z[k], r$finalPValues[k],
    log(r$finalConfidenceIntervalLowerBounds[k]), log(r$finalConfidenceIntervalUpperBounds[k]),
    log(r$medianUnbiasedEstimates[k])
  ))
}
cat('{\n"source": "rpact 3.3.4 on R 4.2.2, group_sequential.R",\n"designs": [\n', paste(rows, collapse = ",\n"),
  '\n],\n"stagewise": [\n', paste(stagewise, collapse = ",\n"), "\n]\n}\n", sep = "")
