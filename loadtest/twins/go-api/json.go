package main

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgtype"
)

// Appended by hand: encoding/json escapes what RFC 8259 does not ask for (<, >, &, U+2028), has no time format
// with six digits or none, and takes longer. What is subtle, the text, is jsontext's, which becomes encoding/json/v2.

func appendUser(b []byte, u *user) ([]byte, error) {
	var err error
	b = append(b, `{"id":`...)
	b = appendUUID(b, u.id)
	b = append(b, `,"email":`...)
	if b, err = appendText(b, u.email); err != nil {
		return b, err
	}
	b = append(b, `,"full_name":`...)
	if b, err = appendText(b, u.fullName); err != nil {
		return b, err
	}
	b = append(b, `,"age":`...)
	b = appendInt(b, u.age)
	b = append(b, `,"country_code":`...)
	if b, err = appendText(b, u.countryCode); err != nil {
		return b, err
	}
	b = append(b, `,"is_active":`...)
	b = appendBool(b, u.isActive)
	b = append(b, `,"created_at":`...)
	b = appendTime(b, u.createdAt)
	return append(b, '}'), nil
}

func appendPage(b []byte, p *page, limit, offset int64) ([]byte, error) {
	b = append(b, `{"items":[`...)
	var err error
	for i := range p.items {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendUser(b, &p.items[i]); err != nil {
			return b, err
		}
	}
	b = append(b, `],"limit":`...)
	b = strconv.AppendInt(b, limit, 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, offset, 10)
	b = append(b, `,"total":`...)
	b = strconv.AppendInt(b, p.total, 10)
	return append(b, '}'), nil
}

const null = "null"

func appendText(b []byte, text pgtype.Text) ([]byte, error) {
	if !text.Valid {
		return append(b, null...), nil
	}
	return jsontext.AppendQuote(b, text.String)
}

func appendInt(b []byte, number pgtype.Int4) []byte {
	if !number.Valid {
		return append(b, null...)
	}
	return strconv.AppendInt(b, int64(number.Int32), 10)
}

func appendBool(b []byte, value pgtype.Bool) []byte {
	if !value.Valid {
		return append(b, null...)
	}
	return strconv.AppendBool(b, value.Bool)
}

func appendUUID(b []byte, id pgtype.UUID) []byte {
	if !id.Valid {
		return append(b, null...)
	}
	b = append(b, '"')
	b = hex.AppendEncode(b, id.Bytes[:4])
	b = append(b, '-')
	b = hex.AppendEncode(b, id.Bytes[4:6])
	b = append(b, '-')
	b = hex.AppendEncode(b, id.Bytes[6:8])
	b = append(b, '-')
	b = hex.AppendEncode(b, id.Bytes[8:10])
	b = append(b, '-')
	b = hex.AppendEncode(b, id.Bytes[10:])
	return append(b, '"')
}

func appendTime(b []byte, moment pgtype.Timestamptz) []byte {
	switch {
	case !moment.Valid:
		return append(b, null...)
	case moment.InfinityModifier != pgtype.Finite:
		return append(append(append(b, '"'), moment.InfinityModifier.String()...), '"')
	}
	format := time.RFC3339
	if moment.Time.Nanosecond() != 0 {
		format = "2006-01-02T15:04:05.000000Z07:00"
	}
	b = append(b, '"')
	b = moment.Time.UTC().AppendFormat(b, format)
	return append(b, '"')
}
