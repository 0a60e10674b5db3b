package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The same text in every contender; src/app/users.h.
const (
	findUser = "select id, email, full_name, age, country_code, is_active, created_at from users where id = $1"

	// One statement, so one snapshot for the items and the total. A page past the end is one row without a user.
	listUsers = "select page.id, page.email, page.full_name, page.age, page.country_code, page.is_active, " +
		"page.created_at, counted.total from (select count(*) as total from users) as counted left join (select id, " +
		"email, full_name, age, country_code, is_active, created_at from users order by id limit $1 offset $2) as page " +
		"on true order by page.id"

	ping = "select 1"
)

// All may be NULL: the table's constraints are not this program's to trust.
type user struct {
	id          pgtype.UUID
	email       pgtype.Text
	fullName    pgtype.Text
	age         pgtype.Int4
	countryCode pgtype.Text
	isActive    pgtype.Bool
	createdAt   pgtype.Timestamptz
}

type page struct {
	items []user
	total int64
}

var (
	errNotFound    = errors.New("no such user")
	errUnavailable = errors.New("the database can't be asked") // asking again later may succeed
)

// users are those in PostgreSQL. Its errors are errNotFound, errUnavailable (wrapped), or PostgreSQL's own.
type users struct {
	pool *pgxpool.Pool
	most int // connections
}

// openUsers does not wait for PostgreSQL: /healthz answers without it, and /readyz says when it is there.
func openUsers(ctx context.Context, config *pgxpool.Config) (*users, error) {
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	return &users{pool, int(config.MaxConns)}, err
}

func (u *users) close() { u.pool.Close() }

func (u *users) find(ctx context.Context, id pgtype.UUID) (found user, err error) {
	err = u.try(ctx, func() error {
		return u.pool.QueryRow(ctx, findUser, id).Scan(&found.id, &found.email, &found.fullName, &found.age,
			&found.countryCode, &found.isActive, &found.createdAt)
	})
	return found, err
}

func (u *users) list(ctx context.Context, limit, offset int64) (found page, err error) {
	err = u.try(ctx, func() error {
		found = page{items: make([]user, 0, limit)}
		rows, err := u.pool.Query(ctx, listUsers, limit, offset)
		if err != nil {
			return err
		}
		var row user
		_, err = pgx.ForEachRow(rows, []any{&row.id, &row.email, &row.fullName, &row.age, &row.countryCode,
			&row.isActive, &row.createdAt, &found.total}, func() error {
			if row.id.Valid {
				found.items = append(found.items, row)
			}
			return nil
		})
		return err
	})
	return found, err
}

func (u *users) ping(ctx context.Context) error {
	return u.try(ctx, func() error {
		var one int32
		return u.pool.QueryRow(ctx, ping).Scan(&one)
	})
}

// try asks again when the connection was lost: all of these only read. Each turn takes one that is dead out of
// the pool, so after a restart of PostgreSQL no request pays for those that were idle.
func (u *users) try(ctx context.Context, query func() error) error {
	var err error
	for range u.most + 1 {
		err = query()
		if err == nil || !lost(ctx, err) {
			break
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return errNotFound
	case outage(ctx, err):
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return err
}

// lost says whether err is of a connection that was there, and not of one that can't be made, nor a late answer.
func lost(ctx context.Context, err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return ctx.Err() == nil && !connecting && outage(ctx, err)
}

func outage(ctx context.Context, err error) bool {
	if server, is := errors.AsType[*pgconn.PgError](err); is {
		// Connection exceptions, shutdown and start, too many connections; and what our own deadline cancelled.
		return strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P") ||
			server.Code == tooManyConnections || server.Code == queryCanceled && ctx.Err() != nil
	}
	_, mismatch := errors.AsType[pgx.ScanArgError](err)
	return !mismatch && !errors.Is(err, pgx.ErrNoRows)
}

const (
	queryCanceled      = "57014"
	tooManyConnections = "53300"
)

// A query is cancelled in time for its answer, or its absence, to be known when the deadline is there.
const (
	queryLimit  = 2 * time.Second
	readyLimit  = 1 * time.Second
	cancelLimit = 100 * time.Millisecond // for PostgreSQL to say that it has cancelled
	cancelSlack = 2 * cancelLimit        // pgx waits 100 ms more, lest the cancellation hits the next query
)
