package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Against the seeded table in DATABASE_URL, which is only read.
func database(t *testing.T) (*users, *pgx.Conn) {
	t.Helper()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		t.Skip("set DATABASE_URL to a database with the table users, seeded")
	}
	t.Setenv("DB_MAX_CONNS", "3")
	t.Setenv("DB_MIN_CONNS", "3")
	t.Setenv("PGAPPNAME", "go-api-test")
	config, err := readConfig()
	if err != nil {
		t.Fatal(err)
	}
	users, err := openUsers(t.Context(), config.pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(users.close)
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	return users, other
}

// Each row as PostgreSQL writes it, but for its id.
func TestRows(t *testing.T) {
	users, other := database(t)
	var total int64
	if err := other.QueryRow(t.Context(), "select count(*) from users").Scan(&total); err != nil {
		t.Fatal(err)
	}
	seen := int64(0)
	for offset := int64(0); offset < total; offset += mostLimit {
		found, err := users.list(t.Context(), mostLimit, offset)
		if err != nil || found.total != total {
			t.Fatalf("total %d, %v", found.total, err)
		}
		for _, row := range found.items {
			seen++
			one, err := users.find(t.Context(), row.id)
			if err != nil || one != row {
				t.Fatalf("%v: found %v, %v", row, one, err)
			}
			if seen%100 != 1 && strings.HasPrefix(row.fullName.String, "U") {
				continue
			}
			var got, want map[string]any
			body, err := appendUser(nil, &row)
			if err != nil || json.Unmarshal(body, &got) != nil {
				t.Fatalf("%s: %v", body, err)
			}
			var text string
			query := "select to_jsonb(users) from users where id = $1"
			if err := other.QueryRow(t.Context(), query, row.id).Scan(&text); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"id", "email", "full_name", "age", "country_code", "is_active"} {
				if got[key] != want[key] {
					t.Errorf("%s: got %v, want %v", key, got[key], want[key])
				}
			}
			at, failed := time.Parse(time.RFC3339Nano, got["created_at"].(string))
			moment, err := time.Parse(time.RFC3339Nano, want["created_at"].(string))
			if err != nil || failed != nil || !at.Equal(moment) {
				t.Errorf("created_at: got %v, want %v", got["created_at"], want["created_at"])
			}
		}
	}
	if seen != total {
		t.Errorf("pages hold %d of %d", seen, total)
	}
	past, err := users.list(t.Context(), 1, math.MaxInt64)
	if err != nil || len(past.items) != 0 || past.total != total {
		t.Errorf("past the end: %v, %v", past, err)
	}
	if _, err := users.find(t.Context(), pgtype.UUID{Valid: true}); !errors.Is(err, errNotFound) {
		t.Errorf("a missing user: %v", err)
	}
}

func TestLateQueryKeepsItsConnection(t *testing.T) {
	users, _ := database(t)
	backends := func() map[uint32]bool {
		all := map[uint32]bool{}
		for _, connection := range users.pool.AcquireAllIdle(t.Context()) {
			all[connection.Conn().PgConn().PID()] = true
			connection.Release()
		}
		return all
	}
	for range 100 {
		if len(backends()) == users.most {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	before := backends()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := users.try(ctx, func() error {
		_, err := users.pool.Exec(ctx, "select pg_sleep(5)")
		return err
	})
	const longest = 300*time.Millisecond + cancelSlack + 100*time.Millisecond
	if took := time.Since(start); !errors.Is(err, errUnavailable) || took > longest {
		t.Errorf("got %v after %s", err, took)
	}
	for backend := range backends() {
		if !before[backend] {
			t.Errorf("backend %d is new", backend)
		}
	}
}

func TestLostConnectionsAreNotSeen(t *testing.T) {
	users, other := database(t)
	for range 3 {
		if _, err := other.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity "+
			"where application_name = 'go-api-test' and pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		if err := users.ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestIdleConnectionsAreNotPinged(t *testing.T) {
	users, other := database(t)
	connection, err := users.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	connection.Release()
	time.Sleep(1100 * time.Millisecond) // pgx pings those that were idle for a second
	if connection, err = users.pool.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer connection.Release()
	var last string
	if err := other.QueryRow(t.Context(), "select query from pg_stat_activity where pid = $1",
		connection.Conn().PgConn().PID()).Scan(&last); err != nil || last == "-- ping" {
		t.Errorf("its last query is %q, %v", last, err)
	}
}

func TestErrorsThatAreNoOutage(t *testing.T) {
	users, _ := database(t)
	err := users.try(t.Context(), func() error {
		_, err := users.pool.Exec(t.Context(), "select * from no_such_table")
		return err
	})
	if err == nil || errors.Is(err, errUnavailable) {
		t.Errorf("got %v", err)
	}
}
