-- One hop of haircut from the outputs in `tainted(output, sat)`: floor shares, then the rest one satoshi each to the
-- largest remainders, ties to the lower index, the fee last (CONTRACT, *Taint, exactly*).
CREATE OR REPLACE TABLE one_hop AS
WITH spending AS (
  SELECT i.tx, sum(i.value_sat)::HUGEINT AS v, sum(coalesce(t.sat, 0))::HUGEINT AS t
  FROM inputs i LEFT JOIN tainted t ON t.output = i.output
  WHERE i.tx IN (SELECT i.tx FROM inputs i JOIN tainted t ON t.output = i.output)
  GROUP BY i.tx HAVING count(*) = count(i.value_sat)
), parts AS (
  SELECT s.tx, s.v, s.t, o.num AS output, o.vout, o.value_sat::HUGEINT AS part
  FROM spending s JOIN outputs o ON o.tx = s.tx
  UNION ALL
  SELECT s.tx, s.v, s.t, NULL, 2147483647, s.v - (SELECT sum(o.value_sat) FROM outputs o WHERE o.tx = s.tx)
  FROM spending s
), shares AS (
  SELECT *, t * part // v AS share, t * part % v AS remainder,
    t - sum(t * part // v) OVER (PARTITION BY tx) AS rest
  FROM parts
)
SELECT tx, output, vout,
  (share + CASE WHEN row_number() OVER (PARTITION BY tx ORDER BY remainder DESC, vout) <= rest THEN 1 ELSE 0 END)::BIGINT AS sat
FROM shares;
