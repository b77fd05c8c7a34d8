"""Our speeds beside peers', on one graph in one run: reach against python-igraph and DuckDB's recursive query, clusters
against graphsense-clustering. From the project's root, after `cargo build --release --bins`:

    python3 -m venv target/python && target/python/bin/pip install duckdb numpy igraph graphsense-clustering
    target/python/bin/python bench/peers/peers.py
"""
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
import igraph
import pyarrow  # noqa: F401  graphsense-clustering answers in it
from gs_clustering import Clustering

BIN = Path("target/release")
TXS = 1_000_000
RUNS = 5


def timed(work):
    """Median seconds of some runs, and the last answer."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - started)
    return statistics.median(times), answer


def main():
    work = Path(tempfile.mkdtemp(prefix="peers-"))
    run = lambda *args: subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True).stdout
    run(BIN / "chaingen", "--blocks", 2600, "--txs", TXS, "--seed", 1, "--out", work / "chain")
    run(BIN / "countersign", "graph", "build", "--blocks", work / "chain", "--out", work / "graph")
    run(BIN / "countersign", "graph", "export", work / "graph", "--parquet", work / "pq")
    ours = json.loads(run(BIN / "reach", work / "graph", RUNS))
    source = ours["source"]

    db = duckdb.connect()
    db.execute(f"CREATE TABLE edges AS SELECT tx AS a, spender AS b FROM '{work}/pq/outputs.parquet' WHERE spender IS NOT NULL")
    edges = db.execute("SELECT a, b FROM edges").fetchnumpy()
    graph = igraph.Graph(n=ours["txs"], edges=list(zip(edges["a"].tolist(), edges["b"].tolist())), directed=True)
    igraph_s, found = timed(lambda: len(graph.subcomponent(source, mode="out")))
    assert found == ours["reached"], (found, ours["reached"])
    query = """WITH RECURSIVE reach(tx) AS (SELECT ?::BIGINT UNION SELECT e.b FROM reach r JOIN edges e ON e.a = r.tx)
               SELECT count(*) FROM reach"""
    duckdb_s, found = timed(lambda: db.execute(query, [source]).fetchone()[0])
    assert found == ours["reached"], (found, ours["reached"])

    db.execute(f"""CREATE TABLE lists AS SELECT list(DISTINCT script) AS l FROM '{work}/pq/inputs.parquet' i
                   JOIN '{work}/pq/txs.parquet' t ON t.num = i.tx WHERE t.joins AND script IS NOT NULL
                   GROUP BY tx HAVING count(DISTINCT script) > 1""")
    lists = [row[0] for row in db.execute("SELECT l FROM lists").fetchall()]

    def cluster():
        peer = Clustering(max_address_id=ours["scripts"])
        peer.process_transactions(lists)
        return peer.get_mapping()

    peer_s, _ = timed(cluster)
    print(f"{ours['txs']} transactions, {len(edges['a'])} edges, {ours['reached']} reached; medians of {RUNS}")
    print(f"reach       ours {ours['reach_s']:.3f} s   python-igraph {igraph_s:.3f} s: {igraph_s / ours['reach_s']:.1f} x"
          f"   DuckDB {duckdb_s:.3f} s: {duckdb_s / ours['reach_s']:.1f} x   (at least 3, 10)")
    print(f"clusters    ours {ours['cluster_s']:.3f} s, reading and judging the chain; the joins alone {ours['join_s']:.3f} s"
          f"   graphsense-clustering {peer_s:.3f} s: {peer_s / ours['join_s']:.1f} x   (at least 3)")
    shutil.rmtree(work)


main()
