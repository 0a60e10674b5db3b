package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

const name = "go-api" // and PostgreSQL's application_name, unless the URL or PGAPPNAME has another

type config struct {
	port string
	pool *pgxpool.Config
}

func readConfig() (config, error) {
	// Without a DATABASE_URL, ParseConfig takes PGHOST and its kin.
	pool, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return config{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	most, err := number("DB_MAX_CONNS", 16, 1)
	if err != nil {
		return config{}, err
	}
	least, err := number("DB_MIN_CONNS", 1, 0)
	if err != nil {
		return config{}, err
	}
	pool.MaxConns, pool.MinConns = most, min(least, most)
	// By default a connection that was idle for a second costs a round trip more; here try() asks again instead.
	pool.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	connection := pool.ConnConfig
	if connection.ConnectTimeout == 0 || connection.ConnectTimeout > queryLimit {
		connection.ConnectTimeout = queryLimit // who waits for it has given up by then
	}
	params := connection.RuntimeParams
	params["application_name"] = cmp.Or(params["application_name"], name)
	connection.BuildContextWatcherHandler = cancelNotClose
	return config{port: portFromEnvironment(), pool: pool}, nil
}

// cancelNotClose has a late query cancelled by PostgreSQL, which keeps the connection. By default pgx closes
// it, and a slow moment costs the whole pool. Only when PostgreSQL does not answer that either, it is closed.
func cancelNotClose(connection *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: connection, DeadlineDelay: cancelLimit}
}

func portFromEnvironment() string { return cmp.Or(os.Getenv("PORT"), "8080") }

func number(variable string, otherwise, least int32) (int32, error) {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseInt(text, 10, 32)
	if err != nil || value < int64(least) {
		return 0, fmt.Errorf("%s is %q; set it to a number from %d to %d", variable, text, least, math.MaxInt32)
	}
	return int32(value), nil
}
