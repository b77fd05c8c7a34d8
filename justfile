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

# Each fuzz target for a while; needs cargo-fuzz. Seeds are real files, made by `cargo run -p testkit --bin make-examples`.
fuzz seconds="60":
    cd fuzz && for t in $(cargo fuzz list); do mkdir -p "corpus/$t" && RUSTC_BOOTSTRAP=1 cargo fuzz run "$t" "corpus/$t" "seeds/$t" -- -max_total_time={{seconds}}; done

# Licences, advisories, sources; needs cargo-deny.
deny:
    cargo deny check
