// Answers what Go's regexp package makes of patterns: JSON lines in, JSON lines out, one for one.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"regexp"
	"regexp/syntax"
)

type question struct {
	Pattern  string `json:"pattern"`
	Text     string `json:"text"`
	Template string `json:"template"`
	// Ranges asks for the code points of a pattern that is one class, and for nothing else.
	Ranges bool `json:"ranges"`
}

type answer struct {
	Error    string  `json:"error,omitempty"`
	Match    bool    `json:"match"`
	Expanded *string `json:"expanded,omitempty"`
	// Ranges holds the ends of each range in turn.
	Ranges []rune `json:"ranges,omitempty"`
}

func main() {
	input := json.NewDecoder(bufio.NewReader(os.Stdin))
	buffer := bufio.NewWriter(os.Stdout)
	output := json.NewEncoder(buffer)
	for input.More() {
		var asked question
		if err := input.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		given := reply(asked)
		if err := output.Encode(given); err != nil {
			log.Fatal(err)
		}
	}
	if err := buffer.Flush(); err != nil {
		log.Fatal(err)
	}
}

func reply(asked question) answer {
	if asked.Ranges {
		return classRanges(asked.Pattern)
	}
	compiled, err := regexp.Compile(asked.Pattern)
	if err != nil {
		return answer{Error: err.Error()}
	}
	found := compiled.FindStringSubmatchIndex(asked.Text)
	if found == nil {
		return answer{}
	}
	expanded := string(compiled.ExpandString(nil, asked.Template, asked.Text, found))
	return answer{Match: true, Expanded: &expanded}
}

func classRanges(pattern string) answer {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return answer{Error: err.Error()}
	}
	switch parsed.Op {
	case syntax.OpCharClass:
		return answer{Ranges: parsed.Rune}
	case syntax.OpAnyChar:
		return answer{Ranges: []rune{0, 0x10FFFF}}
	case syntax.OpLiteral:
		if len(parsed.Rune) == 1 && parsed.Flags&syntax.FoldCase == 0 {
			return answer{Ranges: []rune{parsed.Rune[0], parsed.Rune[0]}}
		}
	}
	log.Fatalf("%q is no class: %v", pattern, parsed)
	return answer{}
}
