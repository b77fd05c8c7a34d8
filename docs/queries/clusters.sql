-- Base clusters from the export: scripts that one transaction spends together have one root, mixes left out.
-- Run the last two statements until `changed` is empty: each round the smallest root spreads one edge further.
CREATE OR REPLACE TABLE edges AS
SELECT min(i.script) OVER (PARTITION BY i.tx) AS a, i.script AS b
FROM inputs i JOIN txs t ON t.num = i.tx
WHERE t.joins AND i.script IS NOT NULL;
CREATE OR REPLACE TABLE roots AS SELECT num AS script, num AS root FROM scripts;
-- round
CREATE OR REPLACE TABLE changed AS
SELECT near.script, min(near.root) AS root FROM (
  SELECT e.b AS script, r.root FROM edges e JOIN roots r ON r.script = e.a
  UNION ALL SELECT e.a, r.root FROM edges e JOIN roots r ON r.script = e.b
  UNION ALL SELECT r.script, up.root FROM roots r JOIN roots up ON up.script = r.root
) near JOIN roots old ON old.script = near.script
GROUP BY near.script, old.root HAVING min(near.root) < old.root;
UPDATE roots SET root = changed.root FROM changed WHERE roots.script = changed.script;
