// What net/http makes of a request by itself: one route, as Go's own router has it. The address is the
// first argument.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	log.SetOutput(io.Discard)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"status":"ok"}`)
	})
	if err := http.ListenAndServe(os.Args[1], mux); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
