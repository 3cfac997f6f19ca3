// Program policies answers questions about choosing tags with the public libraries that the reflector is built on.
//
// Each line of the input is a question in JSON, each line of the output its answer.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/adler32"
	"math"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/fluxcd/pkg/version"
	"github.com/google/go-containerregistry/pkg/name"
)

type question struct {
	Op           string   `json:"op"`
	Text         string   `json:"text"`
	Texts        []string `json:"texts"`
	Tags         []string `json:"tags"`
	Filter       *filter  `json:"filter"`
	Semver       *string  `json:"semver"`
	Alphabetical *string  `json:"alphabetical"`
	Numerical    *string  `json:"numerical"`
	Runs         int      `json:"runs"`
}

type filter struct {
	Pattern string `json:"pattern"`
	Extract string `json:"extract"`
}

// chooser is a policy: the latest of some keys, in the order in which it gets them.
type chooser func(keys []string) (string, error)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := answers.Encode(answer(asked)); err != nil {
			panic(err)
		}
		if asked.Op == "time" {
			// Who measures waits for the answer.
			if err := out.Flush(); err != nil {
				panic(err)
			}
		}
	}
	if err := in.Err(); err != nil {
		panic(err)
	}
}

func answer(asked question) any {
	switch asked.Op {
	case "policy":
		return policy(asked)
	case "time":
		return timed(asked)
	case "constraint":
		return constraint(asked.Text, asked.Texts)
	case "version":
		return each(asked.Texts, versions)
	case "float":
		return each(asked.Texts, float)
	case "duration":
		return each(asked.Texts, duration)
	case "reference":
		return each(asked.Texts, reference)
	case "json":
		return each(asked.Texts, list)
	}
	panic("unknown op " + asked.Op)
}

func each(texts []string, ask func(string) []string) [][]string {
	answers := [][]string{}
	for _, text := range texts {
		answers = append(answers, ask(text))
	}
	return answers
}

// said is "ok " and the value, or "error " and the error.
func said(value any, err error) string {
	if err != nil {
		return "error " + err.Error()
	}
	return fmt.Sprintf("ok %v", value)
}

func versions(text string) []string {
	answers := []string{}
	for _, read := range []func(string) (*semver.Version, error){version.ParseVersion, semver.NewVersion, semver.StrictNewVersion} {
		answers = append(answers, said(read(text)))
	}
	return answers
}

func float(text string) []string {
	value, err := strconv.ParseFloat(text, 64)
	if math.IsNaN(value) {
		return []string{said("nan", err)}
	}
	return []string{said(math.Float64bits(value), err)}
}

func duration(text string) []string {
	value, err := time.ParseDuration(text)
	return []string{said(int64(value), err), value.String()}
}

func reference(text string) []string {
	parsed, err := name.ParseReference(text)
	if err != nil {
		return []string{said(nil, err), tell(name.NewTag(text)), tell(name.NewDigest(text)), tell(name.NewRepository(text))}
	}
	scheme := parsed.Context().Scheme()
	return []string{said(parsed.Name(), nil), tell(name.NewTag(text)), tell(name.NewDigest(text)), tell(name.NewRepository(text)), scheme}
}

func tell[T interface{ Name() string }](named T, err error) string {
	if err != nil {
		return said(nil, err)
	}
	return said(named.Name(), nil)
}

func list(text string) []string {
	encoded, err := json.Marshal(strings.Split(text, ","))
	return []string{said(string(encoded), err), fmt.Sprint(adler32.Checksum(encoded))}
}

func constraint(text string, texts []string) []string {
	constraints, err := semver.NewConstraint(text)
	if err != nil {
		return []string{said(nil, err)}
	}
	answers := []string{"ok"}
	for _, text := range texts {
		parsed, err := semver.NewVersion(text)
		if err != nil {
			answers = append(answers, said(nil, err))
			continue
		}
		isIn, reasons := constraints.Validate(parsed)
		isRefused := false
		for _, reason := range reasons {
			isRefused = isRefused || strings.HasSuffix(reason.Error(), "the constraint is only looking for release versions")
		}
		answers = append(answers, fmt.Sprintf("%v %v", isIn, isIn || isRefused))
	}
	return answers
}

type outcomes map[string]bool

func (o outcomes) sorted() []string {
	all := []string{}
	for one := range o {
		all = append(all, one)
	}
	sort.Strings(all)
	return all
}

// policy tells what came out of 40 runs, and what can come out whatever the order of the keys.
func policy(asked question) map[string][]string {
	observed, possible := outcomes{}, outcomes{}
	latest, err := choice(asked)
	if err != nil {
		possible["policy "+err.Error()] = true
		return map[string][]string{"observed": possible.sorted(), "possible": possible.sorted()}
	}
	if asked.Filter == nil {
		possible[run(latest, asked.Tags, nil)] = true
		return map[string][]string{"observed": possible.sorted(), "possible": possible.sorted()}
	}
	pattern, err := regexp.Compile(asked.Filter.Pattern)
	if err != nil {
		possible["filter "+err.Error()] = true
		return map[string][]string{"observed": possible.sorted(), "possible": possible.sorted()}
	}
	for range 40 {
		tags := byKey(pattern, asked.Filter.Extract, asked.Tags)
		keys := []string{}
		for key := range tags {
			keys = append(keys, key)
		}
		observed[run(latest, keys, tags)] = true
	}
	tags := byKey(pattern, asked.Filter.Extract, asked.Tags)
	keys := []string{}
	for key := range tags {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(one, other int) bool {
		return first(pattern, asked, keys[one]) < first(pattern, asked, keys[other])
	})
	orders(keys, asked.Numerical != nil, func(order []string) {
		possible[run(latest, order, tags)] = true
	})
	return map[string][]string{"observed": observed.sorted(), "possible": possible.sorted()}
}

// timed is how long each of some runs takes, in nanoseconds: everything between the spec with its tags and the answer.
func timed(asked question) []int64 {
	times := []int64{}
	for range asked.Runs {
		started := time.Now()
		latest, err := choice(asked)
		if err != nil {
			panic(err)
		}
		if asked.Filter == nil {
			run(latest, asked.Tags, nil)
		} else {
			tags := byKey(regexp.MustCompile(asked.Filter.Pattern), asked.Filter.Extract, asked.Tags)
			keys := []string{}
			for key := range tags {
				keys = append(keys, key)
			}
			run(latest, keys, tags)
		}
		times = append(times, time.Since(started).Nanoseconds())
	}
	return times
}

func byKey(pattern *regexp.Regexp, extract string, tags []string) map[string]string {
	found := map[string]string{}
	for _, tag := range tags {
		match := pattern.FindStringSubmatchIndex(tag)
		if match == nil {
			continue
		}
		key := tag
		if extract != "" {
			key = string(pattern.ExpandString(nil, extract, tag, match))
		}
		found[key] = tag
	}
	return found
}

func run(latest chooser, keys []string, tags map[string]string) string {
	key, err := latest(keys)
	if err != nil {
		return "choice " + err.Error()
	}
	if tags != nil {
		return "tag " + tags[key]
	}
	return "tag " + key
}

// first is the place of the first tag that gives a key, which is when the map learns of it.
func first(pattern *regexp.Regexp, asked question, key string) int {
	for place, tag := range asked.Tags {
		if _, found := byKey(pattern, asked.Filter.Extract, []string{tag})[key]; found {
			return place
		}
	}
	return len(asked.Tags)
}

// orders visits the orders that a map of so many keys can give. Up to eight it is only turned; of more keys those are
// visited in which each key is first, or each pair is last.
func orders(keys []string, pairs bool, visit func([]string)) {
	if len(keys) == 0 {
		visit(keys)
		return
	}
	if len(keys) <= 8 {
		for begin := range keys {
			visit(append(append([]string{}, keys[begin:]...), keys[:begin]...))
		}
		return
	}
	for first := range keys {
		visit(arranged(keys, []int{first}, nil))
	}
	for last := range keys {
		visit(arranged(keys, nil, []int{last}))
		for before := range keys {
			if pairs && before != last {
				visit(arranged(keys, nil, []int{before, last}))
			}
		}
	}
}

func arranged(keys []string, first, last []int) []string {
	order := []string{}
	moved := map[int]bool{}
	for _, place := range append(append([]int{}, first...), last...) {
		moved[place] = true
	}
	for _, place := range first {
		order = append(order, keys[place])
	}
	for place, key := range keys {
		if !moved[place] {
			order = append(order, key)
		}
	}
	for _, place := range last {
		order = append(order, keys[place])
	}
	return order
}

func choice(asked question) (chooser, error) {
	if asked.Semver != nil {
		constraints, err := semver.NewConstraint(*asked.Semver)
		return greatestVersion(constraints), err
	}
	order := asked.Alphabetical
	if order == nil {
		order = asked.Numerical
	}
	if order == nil {
		return nil, fmt.Errorf("given ImagePolicyChoice object is invalid")
	}
	upper := strings.ToUpper(*order)
	if upper != "" && upper != "ASC" && upper != "DESC" {
		return nil, fmt.Errorf("invalid order argument provided: '%s', must be one of: ASC, DESC", upper)
	}
	if asked.Alphabetical != nil {
		return endOfAlphabet(upper == "DESC"), nil
	}
	return extremeNumber(upper == "DESC"), nil
}

var errNoKeys = fmt.Errorf("version list argument cannot be empty")

func greatestVersion(constraints *semver.Constraints) chooser {
	return func(keys []string) (string, error) {
		if len(keys) == 0 {
			return "", errNoKeys
		}
		var greatest *semver.Version
		for _, key := range keys {
			parsed, err := version.ParseVersion(key)
			if err != nil || !constraints.Check(parsed) {
				continue
			}
			if greatest == nil || parsed.GreaterThan(greatest) {
				greatest = parsed
			}
		}
		if greatest == nil {
			return "", fmt.Errorf("unable to determine latest version from provided list")
		}
		return greatest.Original(), nil
	}
}

func endOfAlphabet(descending bool) chooser {
	return func(keys []string) (string, error) {
		if len(keys) == 0 {
			return "", errNoKeys
		}
		sorted := append([]string{}, keys...)
		sort.Strings(sorted)
		if descending {
			return sorted[0], nil
		}
		return sorted[len(sorted)-1], nil
	}
}

func extremeNumber(descending bool) chooser {
	return func(keys []string) (string, error) {
		if len(keys) == 0 {
			return "", errNoKeys
		}
		latest, held := "", 0.0
		for place, key := range keys {
			number, err := strconv.ParseFloat(key, 64)
			if err != nil {
				return "", fmt.Errorf("failed to parse invalid numeric value '%s'", key)
			}
			worse := number < held
			if descending {
				worse = number > held
			}
			if place == 0 || !worse {
				latest, held = key, number
			}
		}
		return latest, nil
	}
}
