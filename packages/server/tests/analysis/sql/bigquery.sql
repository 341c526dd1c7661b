WITH `t2` AS (
  SELECT
    *
  FROM `events` AS `t0`
  WHERE
    `t0`.`kind` = 'exposure' AND `t0`.`variant` IS NOT NULL AND `t0`.`name` = 'e'
), `t6` AS (
  SELECT
    `t4`.`unit`,
    MIN(`t4`.`variant`) AS `lowest`,
    MAX(`t4`.`variant`) AS `highest`,
    MIN(`t4`.`at`) AS `first_at`
  FROM `t2` AS `t4`
  GROUP BY
    1
), `t20` AS (
  SELECT
    `t3`.`event_id`,
    `t3`.`kind`,
    `t3`.`name`,
    `t3`.`unit`,
    `t3`.`units`,
    `t3`.`at`,
    `t3`.`variant`,
    `t3`.`value`,
    `t3`.`properties`,
    `t19`.`known_unit`,
    `t19`.`first_at`
  FROM (
    SELECT
      *
    FROM `events` AS `t0`
    WHERE
      `t0`.`kind` = 'event' AND `t0`.`name` IN ('order', 'view')
  ) AS `t3`
  INNER JOIN (
    SELECT
      `t16`.`unit` AS `known_unit`,
      `t16`.`first_at`
    FROM (
      SELECT
        `t15`.*
        EXCEPT (`in_several`)
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t8`.`unit`,
            `t8`.`first_at`,
            `t13`.`first_arm` AS `arm`,
            `t8`.`lowest` <> `t8`.`highest` AS `in_several`,
            `t13`.`by:country`
          FROM `t6` AS `t8`
          LEFT OUTER JOIN (
            SELECT
              `t11`.`unit` AS `known_unit`,
              MIN(`t11`.`variant`) AS `first_arm`,
              MIN(JSON_EXTRACT_SCALAR(`t11`.`properties`, '$.country')) AS `by:country`
            FROM (
              SELECT
                `t5`.`event_id`,
                `t5`.`kind`,
                `t5`.`name`,
                `t5`.`unit`,
                `t5`.`units`,
                `t5`.`at`,
                `t5`.`variant`,
                `t5`.`value`,
                `t5`.`properties`,
                `t10`.`moment_unit`,
                `t10`.`moment`
              FROM `t2` AS `t5`
              INNER JOIN (
                SELECT
                  `t7`.`unit` AS `moment_unit`,
                  `t7`.`first_at` AS `moment`
                FROM `t6` AS `t7`
              ) AS `t10`
                ON `t5`.`unit` = `t10`.`moment_unit` AND `t5`.`at` = `t10`.`moment`
            ) AS `t11`
            GROUP BY
              1
          ) AS `t13`
            ON `t8`.`unit` = `t13`.`known_unit`
        ) AS `t14`
        WHERE
          `t14`.`arm` IN ('a', 'b')
      ) AS `t15`
    ) AS `t16`
  ) AS `t19`
    ON `t3`.`unit` = `t19`.`known_unit`
    AND `t3`.`at` >= TIMESTAMP_SUB(`t19`.`first_at`, INTERVAL '48' HOUR)
)
SELECT
  `t46`.`arm`,
  COUNT(*) AS `units`,
  SUM(CAST(`t46`.`spent:0` IS NOT NULL AS INT64)) AS `b0:n`,
  SUM(`t46`.`spent:0`) AS `b0:s0`,
  SUM(`t46`.`spent:0` * `t46`.`spent:0`) AS `b0:p00`,
  COUNT(*) AS `b1:n`,
  SUM(`t46`.`per_session:0`) AS `b1:s0`,
  SUM(`t46`.`per_session:1`) AS `b1:s1`,
  SUM(`t46`.`per_session:0` * `t46`.`per_session:0`) AS `b1:p00`,
  SUM(`t46`.`per_session:0` * `t46`.`per_session:1`) AS `b1:p01`,
  SUM(`t46`.`per_session:1` * `t46`.`per_session:1`) AS `b1:p11`,
  COUNT(*) AS `b2:n`,
  SUM(`t46`.`funnel:0`) AS `b2:s0`,
  SUM(`t46`.`funnel:0` * `t46`.`funnel:0`) AS `b2:p00`,
  SUM(CAST(`t46`.`spent:0` IS NOT NULL AS INT64)) AS `b3:n`,
  SUM(IF(`t46`.`spent:0` IS NOT NULL, `t46`.`spent:0`, NULL)) AS `b3:s0`,
  SUM(IF(`t46`.`spent:0` IS NOT NULL, `t46`.`before:spent:0`, NULL)) AS `b3:s1`,
  SUM(IF(`t46`.`spent:0` IS NOT NULL, `t46`.`spent:0` * `t46`.`spent:0`, NULL)) AS `b3:p00`,
  SUM(IF(`t46`.`spent:0` IS NOT NULL, `t46`.`spent:0` * `t46`.`before:spent:0`, NULL)) AS `b3:p01`,
  SUM(
    IF(`t46`.`spent:0` IS NOT NULL, `t46`.`before:spent:0` * `t46`.`before:spent:0`, NULL)
  ) AS `b3:p11`
FROM (
  SELECT
    `t45`.`unit`,
    `t45`.`first_at`,
    `t45`.`arm`,
    `t45`.`by:country`,
    `t45`.`n0`,
    `t45`.`n1`,
    `t45`.`n2`,
    `t45`.`n3`,
    `t45`.`n4`,
    `t45`.`n5`,
    IF(`t45`.`n1` > 0, IF(`t45`.`n0` > 500.0, 500.0, `t45`.`n0`), NULL) AS `spent:0`,
    IF(`t45`.`n2` > 500.0, 500.0, `t45`.`n2`) AS `before:spent:0`,
    `t45`.`n3` AS `per_session:0`,
    `t45`.`n4` AS `per_session:1`,
    CAST(IF(`t45`.`n5` > 0, 1, 0) AS FLOAT64) AS `funnel:0`
  FROM (
    SELECT
      `t17`.`unit`,
      `t17`.`first_at`,
      `t17`.`arm`,
      `t17`.`by:country`,
      COALESCE(`t44`.`n0`, 0.0) AS `n0`,
      COALESCE(`t44`.`n1`, 0.0) AS `n1`,
      COALESCE(`t44`.`n2`, 0.0) AS `n2`,
      COALESCE(`t44`.`n3`, 0.0) AS `n3`,
      COALESCE(`t44`.`n4`, 0.0) AS `n4`,
      COALESCE(`t44`.`n5`, 0.0) AS `n5`
    FROM (
      SELECT
        `t15`.*
        EXCEPT (`in_several`)
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t8`.`unit`,
            `t8`.`first_at`,
            `t13`.`first_arm` AS `arm`,
            `t8`.`lowest` <> `t8`.`highest` AS `in_several`,
            `t13`.`by:country`
          FROM `t6` AS `t8`
          LEFT OUTER JOIN (
            SELECT
              `t11`.`unit` AS `known_unit`,
              MIN(`t11`.`variant`) AS `first_arm`,
              MIN(JSON_EXTRACT_SCALAR(`t11`.`properties`, '$.country')) AS `by:country`
            FROM (
              SELECT
                `t5`.`event_id`,
                `t5`.`kind`,
                `t5`.`name`,
                `t5`.`unit`,
                `t5`.`units`,
                `t5`.`at`,
                `t5`.`variant`,
                `t5`.`value`,
                `t5`.`properties`,
                `t10`.`moment_unit`,
                `t10`.`moment`
              FROM `t2` AS `t5`
              INNER JOIN (
                SELECT
                  `t7`.`unit` AS `moment_unit`,
                  `t7`.`first_at` AS `moment`
                FROM `t6` AS `t7`
              ) AS `t10`
                ON `t5`.`unit` = `t10`.`moment_unit` AND `t5`.`at` = `t10`.`moment`
            ) AS `t11`
            GROUP BY
              1
          ) AS `t13`
            ON `t8`.`unit` = `t13`.`known_unit`
        ) AS `t14`
        WHERE
          `t14`.`arm` IN ('a', 'b')
      ) AS `t15`
    ) AS `t17`
    LEFT OUTER JOIN (
      SELECT
        `t42`.`unit` AS `active_unit`,
        `t42`.`n0`,
        `t42`.`n1`,
        `t42`.`n2`,
        `t42`.`n3`,
        `t42`.`n4`,
        `t42`.`n5`
      FROM (
        SELECT
          `t41`.`unit`,
          SUM(`t41`.`n0`) AS `n0`,
          SUM(`t41`.`n1`) AS `n1`,
          SUM(`t41`.`n2`) AS `n2`,
          SUM(`t41`.`n3`) AS `n3`,
          SUM(`t41`.`n4`) AS `n4`,
          SUM(`t41`.`n5`) AS `n5`
        FROM (
          SELECT
            *
          FROM (
            SELECT
              *
            FROM (
              SELECT
                `t28`.`unit`,
                `t28`.`n0`,
                `t28`.`n1`,
                `t28`.`n2`,
                `t28`.`n3`,
                CAST(NULL AS FLOAT64) AS `n4`,
                CAST(NULL AS FLOAT64) AS `n5`
              FROM (
                SELECT
                  `t21`.`unit`,
                  SUM(
                    IF(
                      (
                        `t21`.`name` = 'order'
                      ) AND (
                        `t21`.`at` >= `t21`.`first_at`
                      ),
                      `t21`.`value`,
                      NULL
                    )
                  ) AS `n0`,
                  CAST(COUNTIF((
                    `t21`.`name` = 'order'
                  ) AND (
                    `t21`.`at` >= `t21`.`first_at`
                  )) AS FLOAT64) AS `n1`,
                  SUM(
                    IF(
                      (
                        `t21`.`name` = 'order'
                      )
                      AND (
                        (
                          `t21`.`at` >= TIMESTAMP_SUB(`t21`.`first_at`, INTERVAL '48' HOUR)
                        )
                        AND (
                          `t21`.`at` < `t21`.`first_at`
                        )
                      ),
                      `t21`.`value`,
                      NULL
                    )
                  ) AS `n2`,
                  SUM(
                    IF(
                      (
                        `t21`.`name` = 'order'
                      )
                      AND (
                        (
                          `t21`.`at` >= `t21`.`first_at`
                        )
                        AND (
                          `t21`.`at` < TIMESTAMP_ADD(`t21`.`first_at`, INTERVAL '168' HOUR)
                        )
                      ),
                      CAST(IF(
                        REGEXP_CONTAINS(
                          JSON_EXTRACT_SCALAR(`t21`.`properties`, '$.net'),
                          '^[+-]?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?$'
                        ),
                        JSON_EXTRACT_SCALAR(`t21`.`properties`, '$.net'),
                        NULL
                      ) AS FLOAT64),
                      NULL
                    )
                  ) AS `n3`
                FROM `t20` AS `t21`
                GROUP BY
                  1
              ) AS `t28`
            ) AS `t30`
            UNION ALL
            SELECT
              *
            FROM (
              SELECT
                `t35`.`unit`,
                CAST(NULL AS FLOAT64) AS `n0`,
                CAST(NULL AS FLOAT64) AS `n1`,
                CAST(NULL AS FLOAT64) AS `n2`,
                CAST(NULL AS FLOAT64) AS `n3`,
                `t35`.`n4`,
                CAST(NULL AS FLOAT64) AS `n5`
              FROM (
                SELECT
                  `t33`.`unit`,
                  CAST(COUNT(*) AS FLOAT64) AS `n4`
                FROM (
                  SELECT
                    `t31`.`unit`,
                    `t31`.`what`,
                    COUNT(*) AS `times`
                  FROM (
                    SELECT
                      *
                    FROM (
                      SELECT
                        `t22`.`event_id`,
                        `t22`.`kind`,
                        `t22`.`name`,
                        `t22`.`unit`,
                        `t22`.`units`,
                        `t22`.`at`,
                        `t22`.`variant`,
                        `t22`.`value`,
                        `t22`.`properties`,
                        `t22`.`known_unit`,
                        `t22`.`first_at`,
                        JSON_EXTRACT_SCALAR(`t22`.`properties`, '$[\'session id\']') AS `what`
                      FROM (
                        SELECT
                          *
                        FROM `t20` AS `t21`
                        WHERE
                          `t21`.`name` = 'view'
                          AND `t21`.`at` >= `t21`.`first_at`
                          AND `t21`.`at` < TIMESTAMP_ADD(`t21`.`first_at`, INTERVAL '168' HOUR)
                      ) AS `t22`
                    ) AS `t26`
                    WHERE
                      `t26`.`what` IS NOT NULL
                  ) AS `t31`
                  GROUP BY
                    1,
                    2
                ) AS `t33`
                GROUP BY
                  1
              ) AS `t35`
            ) AS `t36`
          ) AS `t38`
          UNION ALL
          SELECT
            *
          FROM (
            SELECT
              `t39`.`unit`,
              CAST(NULL AS FLOAT64) AS `n0`,
              CAST(NULL AS FLOAT64) AS `n1`,
              CAST(NULL AS FLOAT64) AS `n2`,
              CAST(NULL AS FLOAT64) AS `n3`,
              CAST(NULL AS FLOAT64) AS `n4`,
              `t39`.`n5`
            FROM (
              SELECT
                `t37`.`unit`,
                CAST(COUNT(*) AS FLOAT64) AS `n5`
              FROM (
                SELECT
                  `t34`.`unit`,
                  MIN(`t34`.`at`) AS `at`
                FROM (
                  SELECT
                    `t25`.`event_id`,
                    `t25`.`kind`,
                    `t25`.`name`,
                    `t25`.`unit`,
                    `t25`.`units`,
                    `t25`.`at`,
                    `t25`.`variant`,
                    `t25`.`value`,
                    `t25`.`properties`,
                    `t25`.`known_unit`,
                    `t25`.`first_at`,
                    `t32`.`reached_unit`,
                    `t32`.`reached_at`
                  FROM (
                    SELECT
                      *
                    FROM `t20` AS `t21`
                    WHERE
                      `t21`.`at` >= `t21`.`first_at`
                      AND `t21`.`at` < TIMESTAMP_ADD(`t21`.`first_at`, INTERVAL '24' HOUR)
                      AND `t21`.`name` = 'order'
                  ) AS `t25`
                  INNER JOIN (
                    SELECT
                      `t27`.`unit` AS `reached_unit`,
                      `t27`.`at` AS `reached_at`
                    FROM (
                      SELECT
                        `t24`.`unit`,
                        MIN(`t24`.`at`) AS `at`
                      FROM (
                        SELECT
                          *
                        FROM `t20` AS `t21`
                        WHERE
                          `t21`.`at` >= `t21`.`first_at`
                          AND `t21`.`at` < TIMESTAMP_ADD(`t21`.`first_at`, INTERVAL '24' HOUR)
                          AND `t21`.`name` = 'view'
                      ) AS `t24`
                      GROUP BY
                        1
                    ) AS `t27`
                  ) AS `t32`
                    ON `t25`.`unit` = `t32`.`reached_unit` AND `t25`.`at` >= `t32`.`reached_at`
                ) AS `t34`
                GROUP BY
                  1
              ) AS `t37`
              GROUP BY
                1
            ) AS `t39`
          ) AS `t40`
        ) AS `t41`
        GROUP BY
          1
      ) AS `t42`
    ) AS `t44`
      ON `t17`.`unit` = `t44`.`active_unit`
  ) AS `t45`
) AS `t46`
GROUP BY
  1

WITH `t2` AS (
  SELECT
    *
  FROM `events` AS `t0`
  WHERE
    `t0`.`kind` = 'exposure' AND `t0`.`variant` IS NOT NULL AND `t0`.`name` = 'e'
), `t6` AS (
  SELECT
    `t4`.`unit`,
    MIN(`t4`.`variant`) AS `lowest`,
    MAX(`t4`.`variant`) AS `highest`,
    MIN(`t4`.`at`) AS `first_at`
  FROM `t2` AS `t4`
  GROUP BY
    1
)
SELECT
  `t26`.`arm`,
  `t26`.`day`,
  SUM(`t26`.`enters`) AS `units`,
  COUNT(*) AS `unit_days`,
  SUM(
    COALESCE(
      CAST(IF(
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) IS NOT NULL,
        1,
        0
      ) AS FLOAT64),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        CAST(IF(
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) IS NOT NULL,
          1,
          0
        ) AS FLOAT64),
        0.0
      ),
      0.0
    )
  ) AS `b0:n`,
  SUM(
    COALESCE(
      IF(
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) IS NOT NULL,
        IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5,
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) IS NOT NULL,
          IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5,
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b0:s0`,
  SUM(
    COALESCE(
      IF(
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) IS NOT NULL,
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) * (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ),
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) IS NOT NULL,
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) * (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ),
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b0:p00`,
  SUM(
    COALESCE(
      CAST(IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        1,
        0
      ) AS FLOAT64),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        CAST(IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          1,
          0
        ) AS FLOAT64),
        0.0
      ),
      0.0
    )
  ) AS `b1:n`,
  SUM(
    COALESCE(
      IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5,
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5,
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b1:s0`,
  SUM(
    COALESCE(
      IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5,
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5,
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b1:s1`,
  SUM(
    COALESCE(
      IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) * (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ),
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) * (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ),
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b1:p00`,
  SUM(
    COALESCE(
      IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        (
          IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
        ) * (
          IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
        ),
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          (
            IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
          ) * (
            IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
          ),
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b1:p01`,
  SUM(
    COALESCE(
      IF(
        (
          (
            IF(`t26`.`n1:so_far` > 0, IF(`t26`.`n0:so_far` > 500.0, 500.0, `t26`.`n0:so_far`), NULL) - 1.5
          ) IS NOT NULL
        )
        AND (
          (
            IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
          ) IS NOT NULL
        ),
        (
          IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
        ) * (
          IF(`t26`.`n2:so_far` > 500.0, 500.0, `t26`.`n2:so_far`) - 1.5
        ),
        0.0
      ),
      0.0
    ) - IF(
      `t26`.`enters` = 0,
      COALESCE(
        IF(
          (
            (
              IF(`t26`.`n1:before` > 0, IF(`t26`.`n0:before` > 500.0, 500.0, `t26`.`n0:before`), NULL) - 1.5
            ) IS NOT NULL
          )
          AND (
            (
              IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
            ) IS NOT NULL
          ),
          (
            IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
          ) * (
            IF(`t26`.`n2:before` > 500.0, 500.0, `t26`.`n2:before`) - 1.5
          ),
          0.0
        ),
        0.0
      ),
      0.0
    )
  ) AS `b1:p11`
FROM (
  SELECT
    `t25`.`unit`,
    `t25`.`arm`,
    `t25`.`day`,
    `t25`.`enters`,
    `t25`.`n0`,
    `t25`.`n1`,
    `t25`.`n2`,
    `t25`.`n0:so_far`,
    `t25`.`n1:so_far`,
    `t25`.`n2:so_far`,
    `t25`.`n0:so_far` - COALESCE(`t25`.`n0`, 0.0) AS `n0:before`,
    `t25`.`n1:so_far` - COALESCE(`t25`.`n1`, 0.0) AS `n1:before`,
    `t25`.`n2:so_far` - COALESCE(`t25`.`n2`, 0.0) AS `n2:before`
  FROM (
    SELECT
      `t24`.`unit`,
      `t24`.`arm`,
      `t24`.`day`,
      `t24`.`enters`,
      `t24`.`n0`,
      `t24`.`n1`,
      `t24`.`n2`,
      SUM(COALESCE(`t24`.`n0`, 0.0)) OVER (
        PARTITION BY `t24`.`unit`
        ORDER BY `t24`.`day` ASC, `t24`.`enters` DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `n0:so_far`,
      SUM(COALESCE(`t24`.`n1`, 0.0)) OVER (
        PARTITION BY `t24`.`unit`
        ORDER BY `t24`.`day` ASC, `t24`.`enters` DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `n1:so_far`,
      SUM(COALESCE(`t24`.`n2`, 0.0)) OVER (
        PARTITION BY `t24`.`unit`
        ORDER BY `t24`.`day` ASC, `t24`.`enters` DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `n2:so_far`
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t16`.`unit`,
          `t16`.`arm`,
          CAST(FLOOR(ieee_divide(UNIX_SECONDS(`t16`.`first_at`), 86400)) AS INT64) AS `day`,
          1 AS `enters`,
          CAST(NULL AS FLOAT64) AS `n0`,
          CAST(NULL AS FLOAT64) AS `n1`,
          CAST(NULL AS FLOAT64) AS `n2`
        FROM (
          SELECT
            `t15`.*
            EXCEPT (`in_several`)
          FROM (
            SELECT
              *
            FROM (
              SELECT
                `t8`.`unit`,
                `t8`.`first_at`,
                `t13`.`first_arm` AS `arm`,
                `t8`.`lowest` <> `t8`.`highest` AS `in_several`,
                `t13`.`by:country`
              FROM `t6` AS `t8`
              LEFT OUTER JOIN (
                SELECT
                  `t11`.`unit` AS `known_unit`,
                  MIN(`t11`.`variant`) AS `first_arm`,
                  MIN(JSON_EXTRACT_SCALAR(`t11`.`properties`, '$.country')) AS `by:country`
                FROM (
                  SELECT
                    `t5`.`event_id`,
                    `t5`.`kind`,
                    `t5`.`name`,
                    `t5`.`unit`,
                    `t5`.`units`,
                    `t5`.`at`,
                    `t5`.`variant`,
                    `t5`.`value`,
                    `t5`.`properties`,
                    `t10`.`moment_unit`,
                    `t10`.`moment`
                  FROM `t2` AS `t5`
                  INNER JOIN (
                    SELECT
                      `t7`.`unit` AS `moment_unit`,
                      `t7`.`first_at` AS `moment`
                    FROM `t6` AS `t7`
                  ) AS `t10`
                    ON `t5`.`unit` = `t10`.`moment_unit` AND `t5`.`at` = `t10`.`moment`
                ) AS `t11`
                GROUP BY
                  1
              ) AS `t13`
                ON `t8`.`unit` = `t13`.`known_unit`
            ) AS `t14`
            WHERE
              `t14`.`arm` IN ('a', 'b')
          ) AS `t15`
        ) AS `t16`
      ) AS `t19`
      UNION ALL
      SELECT
        *
      FROM (
        SELECT
          `t22`.`unit`,
          `t22`.`arm`,
          `t22`.`day`,
          0 AS `enters`,
          `t22`.`n0`,
          `t22`.`n1`,
          `t22`.`n2`
        FROM (
          SELECT
            `t21`.`unit`,
            `t21`.`arm`,
            `t21`.`day`,
            SUM(
              IF(
                (
                  `t21`.`name` = 'order'
                ) AND (
                  `t21`.`at` >= `t21`.`first_at`
                ),
                `t21`.`value`,
                NULL
              )
            ) AS `n0`,
            CAST(COUNTIF((
              `t21`.`name` = 'order'
            ) AND (
              `t21`.`at` >= `t21`.`first_at`
            )) AS FLOAT64) AS `n1`,
            SUM(
              IF(
                (
                  `t21`.`name` = 'order'
                )
                AND (
                  (
                    `t21`.`at` >= TIMESTAMP_SUB(`t21`.`first_at`, INTERVAL '48' HOUR)
                  )
                  AND (
                    `t21`.`at` < `t21`.`first_at`
                  )
                ),
                `t21`.`value`,
                NULL
              )
            ) AS `n2`
          FROM (
            SELECT
              `t20`.`event_id`,
              `t20`.`kind`,
              `t20`.`name`,
              `t20`.`unit`,
              `t20`.`units`,
              `t20`.`at`,
              `t20`.`variant`,
              `t20`.`value`,
              `t20`.`properties`,
              `t20`.`known_unit`,
              `t20`.`first_at`,
              `t20`.`arm`,
              GREATEST(
                CAST(FLOOR(ieee_divide(UNIX_SECONDS(`t20`.`at`), 86400)) AS INT64),
                CAST(FLOOR(ieee_divide(UNIX_SECONDS(`t20`.`first_at`), 86400)) AS INT64)
              ) AS `day`
            FROM (
              SELECT
                `t3`.`event_id`,
                `t3`.`kind`,
                `t3`.`name`,
                `t3`.`unit`,
                `t3`.`units`,
                `t3`.`at`,
                `t3`.`variant`,
                `t3`.`value`,
                `t3`.`properties`,
                `t18`.`known_unit`,
                `t18`.`first_at`,
                `t18`.`arm`
              FROM (
                SELECT
                  *
                FROM `events` AS `t0`
                WHERE
                  `t0`.`kind` = 'event' AND `t0`.`name` IN ('order')
              ) AS `t3`
              INNER JOIN (
                SELECT
                  `t16`.`unit` AS `known_unit`,
                  `t16`.`first_at`,
                  `t16`.`arm`
                FROM (
                  SELECT
                    `t15`.*
                    EXCEPT (`in_several`)
                  FROM (
                    SELECT
                      *
                    FROM (
                      SELECT
                        `t8`.`unit`,
                        `t8`.`first_at`,
                        `t13`.`first_arm` AS `arm`,
                        `t8`.`lowest` <> `t8`.`highest` AS `in_several`,
                        `t13`.`by:country`
                      FROM `t6` AS `t8`
                      LEFT OUTER JOIN (
                        SELECT
                          `t11`.`unit` AS `known_unit`,
                          MIN(`t11`.`variant`) AS `first_arm`,
                          MIN(JSON_EXTRACT_SCALAR(`t11`.`properties`, '$.country')) AS `by:country`
                        FROM (
                          SELECT
                            `t5`.`event_id`,
                            `t5`.`kind`,
                            `t5`.`name`,
                            `t5`.`unit`,
                            `t5`.`units`,
                            `t5`.`at`,
                            `t5`.`variant`,
                            `t5`.`value`,
                            `t5`.`properties`,
                            `t10`.`moment_unit`,
                            `t10`.`moment`
                          FROM `t2` AS `t5`
                          INNER JOIN (
                            SELECT
                              `t7`.`unit` AS `moment_unit`,
                              `t7`.`first_at` AS `moment`
                            FROM `t6` AS `t7`
                          ) AS `t10`
                            ON `t5`.`unit` = `t10`.`moment_unit` AND `t5`.`at` = `t10`.`moment`
                        ) AS `t11`
                        GROUP BY
                          1
                      ) AS `t13`
                        ON `t8`.`unit` = `t13`.`known_unit`
                    ) AS `t14`
                    WHERE
                      `t14`.`arm` IN ('a', 'b')
                  ) AS `t15`
                ) AS `t16`
              ) AS `t18`
                ON `t3`.`unit` = `t18`.`known_unit`
                AND `t3`.`at` >= TIMESTAMP_SUB(`t18`.`first_at`, INTERVAL '48' HOUR)
            ) AS `t20`
          ) AS `t21`
          GROUP BY
            1,
            2,
            3
        ) AS `t22`
      ) AS `t23`
    ) AS `t24`
  ) AS `t25`
) AS `t26`
GROUP BY
  1,
  2
