WITH "t2" AS (
  SELECT
    *
  FROM "events" AS "t0"
  WHERE
    "t0"."kind" = 'exposure' AND isNotNull("t0"."variant") AND "t0"."name" = 'e'
), "t6" AS (
  SELECT
    "t4"."unit" AS "unit",
    MIN("t4"."variant") AS "lowest",
    MAX("t4"."variant") AS "highest",
    MIN("t4"."at") AS "first_at"
  FROM "t2" AS "t4"
  GROUP BY
    "t4"."unit"
), "t20" AS (
  SELECT
    "t3"."event_id" AS "event_id",
    "t3"."kind" AS "kind",
    "t3"."name" AS "name",
    "t3"."unit" AS "unit",
    "t3"."units" AS "units",
    "t3"."at" AS "at",
    "t3"."variant" AS "variant",
    "t3"."value" AS "value",
    "t3"."properties" AS "properties",
    "t19"."known_unit" AS "known_unit",
    "t19"."first_at" AS "first_at"
  FROM (
    SELECT
      *
    FROM "events" AS "t0"
    WHERE
      "t0"."kind" = 'event' AND "t0"."name" IN ('order', 'view')
  ) AS "t3"
  INNER JOIN (
    SELECT
      "t16"."unit" AS "known_unit",
      "t16"."first_at" AS "first_at"
    FROM (
      SELECT
        "t15".*
        EXCEPT ("in_several")
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "t8"."unit" AS "unit",
            "t8"."first_at" AS "first_at",
            "t13"."first_arm" AS "arm",
            "t8"."lowest" <> "t8"."highest" AS "in_several",
            "t13"."by:country" AS "by:country"
          FROM "t6" AS "t8"
          LEFT OUTER JOIN (
            SELECT
              "t11"."unit" AS "known_unit",
              MIN("t11"."variant") AS "first_arm",
              MIN(JSONExtract("t11"."properties", 'country', 'Nullable(String)')) AS "by:country"
            FROM (
              SELECT
                "t5"."event_id" AS "event_id",
                "t5"."kind" AS "kind",
                "t5"."name" AS "name",
                "t5"."unit" AS "unit",
                "t5"."units" AS "units",
                "t5"."at" AS "at",
                "t5"."variant" AS "variant",
                "t5"."value" AS "value",
                "t5"."properties" AS "properties",
                "t10"."moment_unit" AS "moment_unit",
                "t10"."moment" AS "moment"
              FROM "t2" AS "t5"
              INNER JOIN (
                SELECT
                  "t7"."unit" AS "moment_unit",
                  "t7"."first_at" AS "moment"
                FROM "t6" AS "t7"
              ) AS "t10"
                ON "t5"."unit" = "t10"."moment_unit" AND "t5"."at" = "t10"."moment"
            ) AS "t11"
            GROUP BY
              "t11"."unit"
          ) AS "t13"
            ON "t8"."unit" = "t13"."known_unit"
        ) AS "t14"
        WHERE
          "t14"."arm" IN ('a', 'b')
      ) AS "t15"
    ) AS "t16"
  ) AS "t19"
    ON "t3"."unit" = "t19"."known_unit"
    AND "t3"."at" >= (
      "t19"."first_at" - INTERVAL '48' HOUR
    )
)
SELECT
  "t46"."arm" AS "arm",
  COUNT(*) AS "units",
  SUM(CAST(isNotNull("t46"."spent:0") AS Nullable(Int64))) AS "b0:n",
  SUM("t46"."spent:0") AS "b0:s0",
  SUM("t46"."spent:0" * "t46"."spent:0") AS "b0:p00",
  COUNT(*) AS "b1:n",
  SUM("t46"."per_session:0") AS "b1:s0",
  SUM("t46"."per_session:1") AS "b1:s1",
  SUM("t46"."per_session:0" * "t46"."per_session:0") AS "b1:p00",
  SUM("t46"."per_session:0" * "t46"."per_session:1") AS "b1:p01",
  SUM("t46"."per_session:1" * "t46"."per_session:1") AS "b1:p11",
  COUNT(*) AS "b2:n",
  SUM("t46"."funnel:0") AS "b2:s0",
  SUM("t46"."funnel:0" * "t46"."funnel:0") AS "b2:p00",
  SUM(CAST(isNotNull("t46"."spent:0") AS Nullable(Int64))) AS "b3:n",
  sumIf("t46"."spent:0", isNotNull("t46"."spent:0")) AS "b3:s0",
  sumIf("t46"."before:spent:0", isNotNull("t46"."spent:0")) AS "b3:s1",
  sumIf("t46"."spent:0" * "t46"."spent:0", isNotNull("t46"."spent:0")) AS "b3:p00",
  sumIf("t46"."spent:0" * "t46"."before:spent:0", isNotNull("t46"."spent:0")) AS "b3:p01",
  sumIf("t46"."before:spent:0" * "t46"."before:spent:0", isNotNull("t46"."spent:0")) AS "b3:p11"
FROM (
  SELECT
    "t45"."unit" AS "unit",
    "t45"."first_at" AS "first_at",
    "t45"."arm" AS "arm",
    "t45"."by:country" AS "by:country",
    "t45"."n0" AS "n0",
    "t45"."n1" AS "n1",
    "t45"."n2" AS "n2",
    "t45"."n3" AS "n3",
    "t45"."n4" AS "n4",
    "t45"."n5" AS "n5",
    CASE
      WHEN "t45"."n1" > 0
      THEN CASE WHEN "t45"."n0" > 500.0 THEN 500.0 ELSE "t45"."n0" END
      ELSE NULL
    END AS "spent:0",
    CASE WHEN "t45"."n2" > 500.0 THEN 500.0 ELSE "t45"."n2" END AS "before:spent:0",
    "t45"."n3" AS "per_session:0",
    "t45"."n4" AS "per_session:1",
    CAST(CASE WHEN "t45"."n5" > 0 THEN 1 ELSE 0 END AS Nullable(Float64)) AS "funnel:0"
  FROM (
    SELECT
      "t17"."unit" AS "unit",
      "t17"."first_at" AS "first_at",
      "t17"."arm" AS "arm",
      "t17"."by:country" AS "by:country",
      COALESCE("t44"."n0", 0.0) AS "n0",
      COALESCE("t44"."n1", 0.0) AS "n1",
      COALESCE("t44"."n2", 0.0) AS "n2",
      COALESCE("t44"."n3", 0.0) AS "n3",
      COALESCE("t44"."n4", 0.0) AS "n4",
      COALESCE("t44"."n5", 0.0) AS "n5"
    FROM (
      SELECT
        "t15".*
        EXCEPT ("in_several")
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "t8"."unit" AS "unit",
            "t8"."first_at" AS "first_at",
            "t13"."first_arm" AS "arm",
            "t8"."lowest" <> "t8"."highest" AS "in_several",
            "t13"."by:country" AS "by:country"
          FROM "t6" AS "t8"
          LEFT OUTER JOIN (
            SELECT
              "t11"."unit" AS "known_unit",
              MIN("t11"."variant") AS "first_arm",
              MIN(JSONExtract("t11"."properties", 'country', 'Nullable(String)')) AS "by:country"
            FROM (
              SELECT
                "t5"."event_id" AS "event_id",
                "t5"."kind" AS "kind",
                "t5"."name" AS "name",
                "t5"."unit" AS "unit",
                "t5"."units" AS "units",
                "t5"."at" AS "at",
                "t5"."variant" AS "variant",
                "t5"."value" AS "value",
                "t5"."properties" AS "properties",
                "t10"."moment_unit" AS "moment_unit",
                "t10"."moment" AS "moment"
              FROM "t2" AS "t5"
              INNER JOIN (
                SELECT
                  "t7"."unit" AS "moment_unit",
                  "t7"."first_at" AS "moment"
                FROM "t6" AS "t7"
              ) AS "t10"
                ON "t5"."unit" = "t10"."moment_unit" AND "t5"."at" = "t10"."moment"
            ) AS "t11"
            GROUP BY
              "t11"."unit"
          ) AS "t13"
            ON "t8"."unit" = "t13"."known_unit"
        ) AS "t14"
        WHERE
          "t14"."arm" IN ('a', 'b')
      ) AS "t15"
    ) AS "t17"
    LEFT OUTER JOIN (
      SELECT
        "t42"."unit" AS "active_unit",
        "t42"."n0" AS "n0",
        "t42"."n1" AS "n1",
        "t42"."n2" AS "n2",
        "t42"."n3" AS "n3",
        "t42"."n4" AS "n4",
        "t42"."n5" AS "n5"
      FROM (
        SELECT
          "t41"."unit" AS "unit",
          SUM("t41"."n0") AS "n0",
          SUM("t41"."n1") AS "n1",
          SUM("t41"."n2") AS "n2",
          SUM("t41"."n3") AS "n3",
          SUM("t41"."n4") AS "n4",
          SUM("t41"."n5") AS "n5"
        FROM (
          SELECT
            *
          FROM (
            SELECT
              *
            FROM (
              SELECT
                "t28"."unit" AS "unit",
                "t28"."n0" AS "n0",
                "t28"."n1" AS "n1",
                "t28"."n2" AS "n2",
                "t28"."n3" AS "n3",
                CAST(NULL AS Nullable(Float64)) AS "n4",
                CAST(NULL AS Nullable(Float64)) AS "n5"
              FROM (
                SELECT
                  "t21"."unit" AS "unit",
                  sumIf(
                    "t21"."value",
                    (
                      "t21"."name" = 'order'
                    ) AND (
                      "t21"."at" >= "t21"."first_at"
                    )
                  ) AS "n0",
                  CAST(countIf((
                    "t21"."name" = 'order'
                  ) AND (
                    "t21"."at" >= "t21"."first_at"
                  )) AS Nullable(Float64)) AS "n1",
                  sumIf(
                    "t21"."value",
                    (
                      "t21"."name" = 'order'
                    )
                    AND (
                      (
                        "t21"."at" >= (
                          "t21"."first_at" - INTERVAL '48' HOUR
                        )
                      )
                      AND (
                        "t21"."at" < "t21"."first_at"
                      )
                    )
                  ) AS "n2",
                  sumIf(
                    CAST(CASE
                      WHEN match(
                        JSONExtract("t21"."properties", 'net', 'Nullable(String)'),
                        '^[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?$'
                      )
                      THEN JSONExtract("t21"."properties", 'net', 'Nullable(String)')
                      ELSE NULL
                    END AS Nullable(Float64)),
                    (
                      "t21"."name" = 'order'
                    )
                    AND (
                      (
                        "t21"."at" >= "t21"."first_at"
                      )
                      AND (
                        "t21"."at" < (
                          "t21"."first_at" + INTERVAL '168' HOUR
                        )
                      )
                    )
                  ) AS "n3"
                FROM "t20" AS "t21"
                GROUP BY
                  "t21"."unit"
              ) AS "t28"
            ) AS "t30"
            UNION ALL
            SELECT
              *
            FROM (
              SELECT
                "t35"."unit" AS "unit",
                CAST(NULL AS Nullable(Float64)) AS "n0",
                CAST(NULL AS Nullable(Float64)) AS "n1",
                CAST(NULL AS Nullable(Float64)) AS "n2",
                CAST(NULL AS Nullable(Float64)) AS "n3",
                "t35"."n4" AS "n4",
                CAST(NULL AS Nullable(Float64)) AS "n5"
              FROM (
                SELECT
                  "t33"."unit" AS "unit",
                  CAST(COUNT(*) AS Nullable(Float64)) AS "n4"
                FROM (
                  SELECT
                    "t31"."unit" AS "unit",
                    "t31"."what" AS "what",
                    COUNT(*) AS "times"
                  FROM (
                    SELECT
                      *
                    FROM (
                      SELECT
                        "t22"."event_id" AS "event_id",
                        "t22"."kind" AS "kind",
                        "t22"."name" AS "name",
                        "t22"."unit" AS "unit",
                        "t22"."units" AS "units",
                        "t22"."at" AS "at",
                        "t22"."variant" AS "variant",
                        "t22"."value" AS "value",
                        "t22"."properties" AS "properties",
                        "t22"."known_unit" AS "known_unit",
                        "t22"."first_at" AS "first_at",
                        JSONExtract("t22"."properties", 'session id', 'Nullable(String)') AS "what"
                      FROM (
                        SELECT
                          *
                        FROM "t20" AS "t21"
                        WHERE
                          "t21"."name" = 'view'
                          AND "t21"."at" >= "t21"."first_at"
                          AND "t21"."at" < (
                            "t21"."first_at" + INTERVAL '168' HOUR
                          )
                      ) AS "t22"
                    ) AS "t26"
                    WHERE
                      isNotNull("t26"."what")
                  ) AS "t31"
                  GROUP BY
                    "t31"."unit",
                    "t31"."what"
                ) AS "t33"
                GROUP BY
                  "t33"."unit"
              ) AS "t35"
            ) AS "t36"
          ) AS "t38"
          UNION ALL
          SELECT
            *
          FROM (
            SELECT
              "t39"."unit" AS "unit",
              CAST(NULL AS Nullable(Float64)) AS "n0",
              CAST(NULL AS Nullable(Float64)) AS "n1",
              CAST(NULL AS Nullable(Float64)) AS "n2",
              CAST(NULL AS Nullable(Float64)) AS "n3",
              CAST(NULL AS Nullable(Float64)) AS "n4",
              "t39"."n5" AS "n5"
            FROM (
              SELECT
                "t37"."unit" AS "unit",
                CAST(COUNT(*) AS Nullable(Float64)) AS "n5"
              FROM (
                SELECT
                  "t34"."unit" AS "unit",
                  MIN("t34"."at") AS "at"
                FROM (
                  SELECT
                    "t25"."event_id" AS "event_id",
                    "t25"."kind" AS "kind",
                    "t25"."name" AS "name",
                    "t25"."unit" AS "unit",
                    "t25"."units" AS "units",
                    "t25"."at" AS "at",
                    "t25"."variant" AS "variant",
                    "t25"."value" AS "value",
                    "t25"."properties" AS "properties",
                    "t25"."known_unit" AS "known_unit",
                    "t25"."first_at" AS "first_at",
                    "t32"."reached_unit" AS "reached_unit",
                    "t32"."reached_at" AS "reached_at"
                  FROM (
                    SELECT
                      *
                    FROM "t20" AS "t21"
                    WHERE
                      "t21"."at" >= "t21"."first_at"
                      AND "t21"."at" < (
                        "t21"."first_at" + INTERVAL '24' HOUR
                      )
                      AND "t21"."name" = 'order'
                  ) AS "t25"
                  INNER JOIN (
                    SELECT
                      "t27"."unit" AS "reached_unit",
                      "t27"."at" AS "reached_at"
                    FROM (
                      SELECT
                        "t24"."unit" AS "unit",
                        MIN("t24"."at") AS "at"
                      FROM (
                        SELECT
                          *
                        FROM "t20" AS "t21"
                        WHERE
                          "t21"."at" >= "t21"."first_at"
                          AND "t21"."at" < (
                            "t21"."first_at" + INTERVAL '24' HOUR
                          )
                          AND "t21"."name" = 'view'
                      ) AS "t24"
                      GROUP BY
                        "t24"."unit"
                    ) AS "t27"
                  ) AS "t32"
                    ON "t25"."unit" = "t32"."reached_unit" AND "t25"."at" >= "t32"."reached_at"
                ) AS "t34"
                GROUP BY
                  "t34"."unit"
              ) AS "t37"
              GROUP BY
                "t37"."unit"
            ) AS "t39"
          ) AS "t40"
        ) AS "t41"
        GROUP BY
          "t41"."unit"
      ) AS "t42"
    ) AS "t44"
      ON "t17"."unit" = "t44"."active_unit"
  ) AS "t45"
) AS "t46"
GROUP BY
  "t46"."arm"

WITH "t2" AS (
  SELECT
    *
  FROM "events" AS "t0"
  WHERE
    "t0"."kind" = 'exposure' AND isNotNull("t0"."variant") AND "t0"."name" = 'e'
), "t6" AS (
  SELECT
    "t4"."unit" AS "unit",
    MIN("t4"."variant") AS "lowest",
    MAX("t4"."variant") AS "highest",
    MIN("t4"."at") AS "first_at"
  FROM "t2" AS "t4"
  GROUP BY
    "t4"."unit"
)
SELECT
  "t26"."arm" AS "arm",
  "t26"."day" AS "day",
  SUM("t26"."enters") AS "units",
  COUNT(*) AS "unit_days",
  SUM(
    COALESCE(
      CAST(CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        THEN 1
        ELSE 0
      END AS Nullable(Float64)),
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CAST(CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          THEN 1
          ELSE 0
        END AS Nullable(Float64)),
        0.0
      )
      ELSE 0.0
    END
  ) AS "b0:n",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        THEN CASE
          WHEN "t26"."n1:so_far" > 0
          THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
          ELSE NULL
        END - 1.5
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          THEN CASE
            WHEN "t26"."n1:before" > 0
            THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
            ELSE NULL
          END - 1.5
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b0:s0",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        THEN (
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        ) * (
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          THEN (
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          ) * (
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b0:p00",
  SUM(
    COALESCE(
      CAST(CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN 1
        ELSE 0
      END AS Nullable(Float64)),
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CAST(CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN 1
          ELSE 0
        END AS Nullable(Float64)),
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:n",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN CASE
          WHEN "t26"."n1:so_far" > 0
          THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
          ELSE NULL
        END - 1.5
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN CASE
            WHEN "t26"."n1:before" > 0
            THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
            ELSE NULL
          END - 1.5
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:s0",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:s1",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN (
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        ) * (
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN (
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          ) * (
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:p00",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN (
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        ) * (
          CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5
        )
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN (
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          ) * (
            CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5
          )
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:p01",
  SUM(
    COALESCE(
      CASE
        WHEN isNotNull(
          CASE
            WHEN "t26"."n1:so_far" > 0
            THEN CASE WHEN "t26"."n0:so_far" > 500.0 THEN 500.0 ELSE "t26"."n0:so_far" END
            ELSE NULL
          END - 1.5
        )
        AND isNotNull(CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5)
        THEN (
          CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5
        ) * (
          CASE WHEN "t26"."n2:so_far" > 500.0 THEN 500.0 ELSE "t26"."n2:so_far" END - 1.5
        )
        ELSE 0.0
      END,
      0.0
    ) - CASE
      WHEN "t26"."enters" = 0
      THEN COALESCE(
        CASE
          WHEN isNotNull(
            CASE
              WHEN "t26"."n1:before" > 0
              THEN CASE WHEN "t26"."n0:before" > 500.0 THEN 500.0 ELSE "t26"."n0:before" END
              ELSE NULL
            END - 1.5
          )
          AND isNotNull(CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5)
          THEN (
            CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5
          ) * (
            CASE WHEN "t26"."n2:before" > 500.0 THEN 500.0 ELSE "t26"."n2:before" END - 1.5
          )
          ELSE 0.0
        END,
        0.0
      )
      ELSE 0.0
    END
  ) AS "b1:p11"
FROM (
  SELECT
    "t25"."unit" AS "unit",
    "t25"."arm" AS "arm",
    "t25"."day" AS "day",
    "t25"."enters" AS "enters",
    "t25"."n0" AS "n0",
    "t25"."n1" AS "n1",
    "t25"."n2" AS "n2",
    "t25"."n0:so_far" AS "n0:so_far",
    "t25"."n1:so_far" AS "n1:so_far",
    "t25"."n2:so_far" AS "n2:so_far",
    "t25"."n0:so_far" - COALESCE("t25"."n0", 0.0) AS "n0:before",
    "t25"."n1:so_far" - COALESCE("t25"."n1", 0.0) AS "n1:before",
    "t25"."n2:so_far" - COALESCE("t25"."n2", 0.0) AS "n2:before"
  FROM (
    SELECT
      "t24"."unit" AS "unit",
      "t24"."arm" AS "arm",
      "t24"."day" AS "day",
      "t24"."enters" AS "enters",
      "t24"."n0" AS "n0",
      "t24"."n1" AS "n1",
      "t24"."n2" AS "n2",
      SUM(COALESCE("t24"."n0", 0.0)) OVER (
        PARTITION BY "t24"."unit"
        ORDER BY "t24"."day" ASC, "t24"."enters" DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "n0:so_far",
      SUM(COALESCE("t24"."n1", 0.0)) OVER (
        PARTITION BY "t24"."unit"
        ORDER BY "t24"."day" ASC, "t24"."enters" DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "n1:so_far",
      SUM(COALESCE("t24"."n2", 0.0)) OVER (
        PARTITION BY "t24"."unit"
        ORDER BY "t24"."day" ASC, "t24"."enters" DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "n2:so_far"
    FROM (
      SELECT
        *
      FROM (
        SELECT
          "t16"."unit" AS "unit",
          "t16"."arm" AS "arm",
          CAST(FLOOR((
            toRelativeSecondNum("t16"."first_at")
          ) / (
            86400
          )) AS Nullable(Int64)) AS "day",
          1 AS "enters",
          CAST(NULL AS Nullable(Float64)) AS "n0",
          CAST(NULL AS Nullable(Float64)) AS "n1",
          CAST(NULL AS Nullable(Float64)) AS "n2"
        FROM (
          SELECT
            "t15".*
            EXCEPT ("in_several")
          FROM (
            SELECT
              *
            FROM (
              SELECT
                "t8"."unit" AS "unit",
                "t8"."first_at" AS "first_at",
                "t13"."first_arm" AS "arm",
                "t8"."lowest" <> "t8"."highest" AS "in_several",
                "t13"."by:country" AS "by:country"
              FROM "t6" AS "t8"
              LEFT OUTER JOIN (
                SELECT
                  "t11"."unit" AS "known_unit",
                  MIN("t11"."variant") AS "first_arm",
                  MIN(JSONExtract("t11"."properties", 'country', 'Nullable(String)')) AS "by:country"
                FROM (
                  SELECT
                    "t5"."event_id" AS "event_id",
                    "t5"."kind" AS "kind",
                    "t5"."name" AS "name",
                    "t5"."unit" AS "unit",
                    "t5"."units" AS "units",
                    "t5"."at" AS "at",
                    "t5"."variant" AS "variant",
                    "t5"."value" AS "value",
                    "t5"."properties" AS "properties",
                    "t10"."moment_unit" AS "moment_unit",
                    "t10"."moment" AS "moment"
                  FROM "t2" AS "t5"
                  INNER JOIN (
                    SELECT
                      "t7"."unit" AS "moment_unit",
                      "t7"."first_at" AS "moment"
                    FROM "t6" AS "t7"
                  ) AS "t10"
                    ON "t5"."unit" = "t10"."moment_unit" AND "t5"."at" = "t10"."moment"
                ) AS "t11"
                GROUP BY
                  "t11"."unit"
              ) AS "t13"
                ON "t8"."unit" = "t13"."known_unit"
            ) AS "t14"
            WHERE
              "t14"."arm" IN ('a', 'b')
          ) AS "t15"
        ) AS "t16"
      ) AS "t19"
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          "t22"."unit" AS "unit",
          "t22"."arm" AS "arm",
          "t22"."day" AS "day",
          0 AS "enters",
          "t22"."n0" AS "n0",
          "t22"."n1" AS "n1",
          "t22"."n2" AS "n2"
        FROM (
          SELECT
            "t21"."unit" AS "unit",
            "t21"."arm" AS "arm",
            "t21"."day" AS "day",
            sumIf(
              "t21"."value",
              (
                "t21"."name" = 'order'
              ) AND (
                "t21"."at" >= "t21"."first_at"
              )
            ) AS "n0",
            CAST(countIf((
              "t21"."name" = 'order'
            ) AND (
              "t21"."at" >= "t21"."first_at"
            )) AS Nullable(Float64)) AS "n1",
            sumIf(
              "t21"."value",
              (
                "t21"."name" = 'order'
              )
              AND (
                (
                  "t21"."at" >= (
                    "t21"."first_at" - INTERVAL '48' HOUR
                  )
                )
                AND (
                  "t21"."at" < "t21"."first_at"
                )
              )
            ) AS "n2"
          FROM (
            SELECT
              "t20"."event_id" AS "event_id",
              "t20"."kind" AS "kind",
              "t20"."name" AS "name",
              "t20"."unit" AS "unit",
              "t20"."units" AS "units",
              "t20"."at" AS "at",
              "t20"."variant" AS "variant",
              "t20"."value" AS "value",
              "t20"."properties" AS "properties",
              "t20"."known_unit" AS "known_unit",
              "t20"."first_at" AS "first_at",
              "t20"."arm" AS "arm",
              GREATEST(
                CAST(FLOOR((
                  toRelativeSecondNum("t20"."at")
                ) / (
                  86400
                )) AS Nullable(Int64)),
                CAST(FLOOR((
                  toRelativeSecondNum("t20"."first_at")
                ) / (
                  86400
                )) AS Nullable(Int64))
              ) AS "day"
            FROM (
              SELECT
                "t3"."event_id" AS "event_id",
                "t3"."kind" AS "kind",
                "t3"."name" AS "name",
                "t3"."unit" AS "unit",
                "t3"."units" AS "units",
                "t3"."at" AS "at",
                "t3"."variant" AS "variant",
                "t3"."value" AS "value",
                "t3"."properties" AS "properties",
                "t18"."known_unit" AS "known_unit",
                "t18"."first_at" AS "first_at",
                "t18"."arm" AS "arm"
              FROM (
                SELECT
                  *
                FROM "events" AS "t0"
                WHERE
                  "t0"."kind" = 'event' AND "t0"."name" IN ('order')
              ) AS "t3"
              INNER JOIN (
                SELECT
                  "t16"."unit" AS "known_unit",
                  "t16"."first_at" AS "first_at",
                  "t16"."arm" AS "arm"
                FROM (
                  SELECT
                    "t15".*
                    EXCEPT ("in_several")
                  FROM (
                    SELECT
                      *
                    FROM (
                      SELECT
                        "t8"."unit" AS "unit",
                        "t8"."first_at" AS "first_at",
                        "t13"."first_arm" AS "arm",
                        "t8"."lowest" <> "t8"."highest" AS "in_several",
                        "t13"."by:country" AS "by:country"
                      FROM "t6" AS "t8"
                      LEFT OUTER JOIN (
                        SELECT
                          "t11"."unit" AS "known_unit",
                          MIN("t11"."variant") AS "first_arm",
                          MIN(JSONExtract("t11"."properties", 'country', 'Nullable(String)')) AS "by:country"
                        FROM (
                          SELECT
                            "t5"."event_id" AS "event_id",
                            "t5"."kind" AS "kind",
                            "t5"."name" AS "name",
                            "t5"."unit" AS "unit",
                            "t5"."units" AS "units",
                            "t5"."at" AS "at",
                            "t5"."variant" AS "variant",
                            "t5"."value" AS "value",
                            "t5"."properties" AS "properties",
                            "t10"."moment_unit" AS "moment_unit",
                            "t10"."moment" AS "moment"
                          FROM "t2" AS "t5"
                          INNER JOIN (
                            SELECT
                              "t7"."unit" AS "moment_unit",
                              "t7"."first_at" AS "moment"
                            FROM "t6" AS "t7"
                          ) AS "t10"
                            ON "t5"."unit" = "t10"."moment_unit" AND "t5"."at" = "t10"."moment"
                        ) AS "t11"
                        GROUP BY
                          "t11"."unit"
                      ) AS "t13"
                        ON "t8"."unit" = "t13"."known_unit"
                    ) AS "t14"
                    WHERE
                      "t14"."arm" IN ('a', 'b')
                  ) AS "t15"
                ) AS "t16"
              ) AS "t18"
                ON "t3"."unit" = "t18"."known_unit"
                AND "t3"."at" >= (
                  "t18"."first_at" - INTERVAL '48' HOUR
                )
            ) AS "t20"
          ) AS "t21"
          GROUP BY
            "t21"."unit",
            "t21"."arm",
            "t21"."day"
        ) AS "t22"
      ) AS "t23"
    ) AS "t24"
  ) AS "t25"
) AS "t26"
GROUP BY
  "t26"."arm",
  "t26"."day"
