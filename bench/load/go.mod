module sojourn.dev/bench/load

go 1.25
