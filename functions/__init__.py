"""Everything that runs inside Lambda: one package, one asset, one door per function."""
