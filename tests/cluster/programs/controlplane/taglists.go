package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// serveTagLists serves tag lists that no registry would have: PUT / with {"<repository>": ["<tag>", ...]} adds to the
// table, and /v2/<repository>/tags/list answers from it in one page, in the order given.
func serveTagLists() (string, error) {
	var mutex sync.RWMutex
	table := map[string][]string{}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /{$}", func(writer http.ResponseWriter, request *http.Request) {
		var added map[string][]string
		if err := json.NewDecoder(request.Body).Decode(&added); err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		for repository, tags := range added {
			table[repository] = tags
		}
	})
	mux.HandleFunc("GET /v2/", func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		path := strings.TrimPrefix(request.URL.Path, "/v2/")
		if path == "" {
			_, _ = writer.Write([]byte("{}"))
			return
		}
		mutex.RLock()
		defer mutex.RUnlock()
		repository, isList := strings.CutSuffix(path, "/tags/list")
		tags, known := table[repository]
		if !isList || !known {
			writer.WriteHeader(http.StatusNotFound)
			_, _ = writer.Write([]byte(`{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`))
			return
		}
		_ = json.NewEncoder(writer).Encode(map[string]any{"name": repository, "tags": tags})
	})
	return serve(mux)
}
