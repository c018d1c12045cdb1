module sojourn.dev/bench/sink

go 1.25

require (
	github.com/go-faster/city v1.0.1
	github.com/pierrec/lz4/v4 v4.1.27
)
