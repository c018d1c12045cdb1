// Asks the ClickHouse port what Grafana's driver asks: over HTTP, compressed, types of all kinds, parameters, and an error.
// It prints what it was told as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
)

func main() {
	if err := ask(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(address string) error {
	ctx := clickhouse.Context(context.Background(), clickhouse.WithParameters(clickhouse.Parameters{"id": "s"}))
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    clickhouse.HTTP,
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	var (
		id, state string
		start     time.Time
		turns     uint64
		cost      *decimal.Decimal
		models    []string
		metadata  map[string]string
	)
	row := conn.QueryRow(ctx, "SELECT SessionId, State, Start, Turns, Cost, Models, Metadata FROM sessions WHERE SessionId = {id:String}")
	if err := row.Scan(&id, &state, &start, &turns, &cost, &models, &metadata); err != nil {
		return fmt.Errorf("a session: %w", err)
	}
	rows, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(100000)")
	if err != nil {
		return fmt.Errorf("many rows: %w", err)
	}
	var sum, number uint64
	var text string
	for rows.Next() {
		if err := rows.Scan(&number, &text); err != nil {
			return err
		}
		sum += number
	}
	if err := rows.Err(); err != nil {
		return err
	}
	none := conn.QueryRow(ctx, "SELECT nothing FROM sessions").Scan(&text)
	var count uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM spans WHERE SessionId = 'nobody'").Scan(&count); err != nil {
		return fmt.Errorf("no rows: %w", err)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"id": id, "state": state, "start": start.UTC().Format(time.RFC3339Nano), "turns": turns, "cost": cost, "models": models,
		"metadata": metadata, "sum": sum, "error": fmt.Sprint(none), "count": count,
	})
}
