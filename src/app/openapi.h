// What `GET /openapi.json` answers: the API as OpenAPI 3.1 has it. Written by hand; a test asks the
// server for all that stands here, and compares its answers with the schemas.
#pragma once

#include <string_view>

namespace ringpost::app {

inline constexpr std::string_view openapi = R"json({
"openapi":"3.1.0",
"info":{"title":"Users","version":"1.0.0","license":{"name":"MIT","identifier":"MIT"},
"description":"A read-heavy API of users, served from PostgreSQL."},
"servers":[{"url":"/"}],
"paths":{
"/users/{id}":{
"parameters":[{"$ref":"#/components/parameters/id"}],
"get":{"operationId":"getUser","summary":"One user","responses":{
"200":{"description":"The user.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/User"}}}},
"400":{"$ref":"#/components/responses/BadRequest"},
"404":{"$ref":"#/components/responses/NotFound"},
"500":{"$ref":"#/components/responses/Internal"},
"503":{"$ref":"#/components/responses/Unavailable"},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headUser","summary":"The same, without its body","responses":{
"200":{"description":"The user is there."},"400":{"description":"The id is no UUID."},
"404":{"description":"There is no such user."},"500":{"description":"As of GET."},
"503":{"description":"As of GET."},"default":{"description":"As of GET."}}}},
"/users":{
"parameters":[{"$ref":"#/components/parameters/limit"},{"$ref":"#/components/parameters/offset"}],
"get":{"operationId":"listUsers","summary":"A page of users, in the order of their ids","responses":{
"200":{"description":"The page.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Page"}}}},
"400":{"$ref":"#/components/responses/BadRequest"},
"500":{"$ref":"#/components/responses/Internal"},
"503":{"$ref":"#/components/responses/Unavailable"},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headUsers","summary":"The same, without its body","responses":{
"200":{"description":"As of GET."},"400":{"description":"As of GET."},"500":{"description":"As of GET."},
"503":{"description":"As of GET."},"default":{"description":"As of GET."}}}},
"/healthz":{
"get":{"operationId":"getHealth","summary":"Whether the process lives; PostgreSQL is not asked","responses":{
"200":{"$ref":"#/components/responses/Well"},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headHealth","summary":"The same, without its body","responses":{
"200":{"description":"It lives."},"default":{"description":"As of GET."}}}},
"/readyz":{
"get":{"operationId":"getReadiness","summary":"Whether a query can be answered now","responses":{
"200":{"$ref":"#/components/responses/Well"},
"503":{"$ref":"#/components/responses/Unavailable"},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headReadiness","summary":"The same, without its body","responses":{
"200":{"description":"It can."},"503":{"description":"It can't."},"default":{"description":"As of GET."}}}},
"/metrics":{
"get":{"operationId":"getMetrics","summary":"What the server has done, for Prometheus","responses":{
"200":{"description":"Text format, version 0.0.4.","content":{"text/plain":{"schema":{"type":"string"}}}},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headMetrics","summary":"The same, without its body","responses":{
"200":{"description":"As of GET."},"default":{"description":"As of GET."}}}},
"/openapi.json":{
"get":{"operationId":"getOpenapi","summary":"This document","responses":{
"200":{"description":"OpenAPI 3.1.","content":{"application/json":{"schema":{"type":"object"}}}},
"default":{"$ref":"#/components/responses/Refused"}}},
"head":{"operationId":"headOpenapi","summary":"The same, without its body","responses":{
"200":{"description":"As of GET."},"default":{"description":"As of GET."}}}}
},
"components":{
"parameters":{
"id":{"name":"id","in":"path","required":true,"description":"Hexadecimal digits of either case, 8-4-4-4-12.",
"schema":{"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
"example":"123e4567-e89b-12d3-a456-426614174000"},
"limit":{"name":"limit","in":"query","description":"How many users at most. Given once, in decimal digits.",
"schema":{"type":"integer","minimum":1,"maximum":200,"default":50}},
"offset":{"name":"offset","in":"query","description":"How many users to pass over. Given once, in decimal digits.",
"schema":{"type":"integer","format":"int64","minimum":0,"maximum":9223372036854775807,"default":0}}},
"schemas":{
"User":{"type":"object","additionalProperties":false,
"required":["id","email","full_name","age","country_code","is_active","created_at"],
"properties":{
"id":{"type":"string","format":"uuid"},
"email":{"type":["string","null"]},
"full_name":{"type":["string","null"]},
"age":{"type":["integer","null"],"format":"int32"},
"country_code":{"type":["string","null"],"description":"As PostgreSQL pads a char(2)."},
"is_active":{"type":["boolean","null"]},
"created_at":{"type":["string","null"],"description":"RFC 3339 in UTC; outside of the years 0001 to 9999 with a sign and six digits; or infinity, -infinity."}},
"examples":[{"id":"123e4567-e89b-12d3-a456-426614174000","email":"user1@example.com","full_name":"User 1","age":25,"country_code":"US","is_active":true,"created_at":"2026-01-31T08:00:00Z"}]},
"Page":{"type":"object","additionalProperties":false,"required":["items","limit","offset","total"],
"properties":{
"items":{"type":"array","items":{"$ref":"#/components/schemas/User"}},
"limit":{"type":"integer"},"offset":{"type":"integer"},
"total":{"type":"integer","description":"Of all users, at the moment of the items."}}},
"Status":{"type":"object","additionalProperties":false,"required":["status"],"properties":{"status":{"const":"ok"}}},
"Error":{"type":"object","additionalProperties":false,"required":["error"],"properties":{
"error":{"type":"string","description":"In one word: invalid_id, invalid_limit, invalid_offset, invalid_escape, not_found, method_not_allowed, unavailable, internal; or the status of a refusal."},
"detail":{"type":"string","description":"Of a refusal: what was wrong with the request."}}}},
"responses":{
"Well":{"description":"Yes.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Status"}}}},
"BadRequest":{"description":"A parameter is not what it has to be.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}},
"NotFound":{"description":"There is none.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}},
"Internal":{"description":"PostgreSQL answered with an error; its SQLSTATE is in the log.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}},
"Unavailable":{"description":"PostgreSQL can't be asked within the deadline.",
"headers":{"Retry-After":{"description":"Seconds.","schema":{"type":"integer"}}},
"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}},
"Refused":{"description":"What no request may be: another method (405, with Allow), a malformed escape, a head or body that is too large or too late.",
"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}}}
}})json";

}  // namespace ringpost::app
