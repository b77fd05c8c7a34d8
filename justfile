# List commands.
default:
    @just --list

# Exactly what CI runs.
ci:
    bash .ci/run

# Format, then the lints as CI has them.
check:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- -D warnings

test:
    cargo test --workspace

# The theft, replayed; the report lands in target/drill.
drill:
    cargo run --release -- drill --out target/drill --force

# Ratios to the bare cryptography and the syncs.
bench:
    cargo bench -p testkit

# Each fuzz target for a while; needs cargo-fuzz and a nightly toolchain.
fuzz seconds="60":
    for t in $(cd fuzz && cargo +nightly fuzz list); do (cd fuzz && cargo +nightly fuzz run "$t" -- -max_total_time={{seconds}}); done

# Licences, advisories, sources; needs cargo-deny.
deny:
    cargo deny check
