// Answers what text/template with Sprig's hermetic functions makes of commit message templates.
// A question and its answer are one line of JSON each; bytes are in base64.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sort"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"

	oldsource "messages/old/source"
	oldupdate "messages/old/update"
	"messages/source"
	"messages/types"
	"messages/update"
	"messages/yaml"
)

type change struct{ Old, New, Setter string }

type image struct{ Reference, PolicyNamespace, PolicyName string }

type object struct {
	APIVersion, Kind, Name, Namespace string
	Changes                           []change
	Images                            []image
}

func (o object) identifier() update.ObjectIdentifier {
	return update.ObjectIdentifier{ResourceIdentifier: yaml.ResourceIdentifier{
		TypeMeta: yaml.TypeMeta{APIVersion: o.APIVersion, Kind: o.Kind},
		NameMeta: yaml.NameMeta{Name: o.Name, Namespace: o.Namespace},
	}}
}

type file struct {
	Path    string
	Objects []object
}

type question struct {
	Template        string
	Namespace, Name string
	Values          map[string]string
	Changed         []file
	// Old asks for the data of the controllers before Flux 2.7.
	Old  bool
	Runs int
}

// answer has every output and error text that the runs gave, sorted.
type answer struct {
	Outputs [][]byte `json:"outputs"`
	Errors  []string `json:"errors"`
}

func (q question) data() any {
	automation := types.NamespacedName{Namespace: q.Namespace, Name: q.Name}
	if !q.Old {
		return source.TemplateData{AutomationObject: automation, Changed: update.Result{FileChanges: q.fileChanges()}, Values: q.Values}
	}
	images := oldupdate.Result{Files: q.images()}
	return oldsource.TemplateData{
		AutomationObject: automation,
		Updated:          images,
		Changed:          oldupdate.ResultV2{ImageResult: images, FileChanges: q.fileChanges()},
		Values:           q.Values,
	}
}

func (q question) fileChanges() map[string]update.ObjectChanges {
	var files map[string]update.ObjectChanges
	for _, f := range q.Changed {
		if files == nil {
			files = map[string]update.ObjectChanges{}
		}
		if files[f.Path] == nil {
			files[f.Path] = update.ObjectChanges{}
		}
		for _, o := range f.Objects {
			for _, c := range o.Changes {
				id := o.identifier()
				files[f.Path][id] = append(files[f.Path][id], update.Change{OldValue: c.Old, NewValue: c.New, Setter: c.Setter})
			}
		}
	}
	return files
}

func (q question) images() map[string]oldupdate.FileResult {
	var files map[string]oldupdate.FileResult
	for _, f := range q.Changed {
		for _, o := range f.Objects {
			for _, i := range o.Images {
				if files == nil {
					files = map[string]oldupdate.FileResult{}
				}
				if files[f.Path].Objects == nil {
					files[f.Path] = oldupdate.FileResult{Objects: map[update.ObjectIdentifier][]oldupdate.ImageRef{}}
				}
				policy := types.NamespacedName{Namespace: i.PolicyNamespace, Name: i.PolicyName}
				ref, err := oldupdate.NewImageRef(i.Reference, policy)
				if err != nil {
					panic(err)
				}
				objects := files[f.Path].Objects
				objects[o.identifier()] = append(objects[o.identifier()], ref)
			}
		}
	}
	return files
}

// tooLarge ends the runs that would take all memory or time.
var tooLarge = errors.New("too large to compare")

const limit = 1 << 20

// functions are Sprig's, with a bound on those that make much out of little.
func functions() template.FuncMap {
	all := sprig.HermeticTxtFuncMap()
	untilStep := all["untilStep"].(func(int, int, int) []int)
	bounded := func(start, stop, step int) []int {
		if step != 0 && (stop-start)/step > limit {
			panic(tooLarge)
		}
		return untilStep(start, stop, step)
	}
	all["untilStep"] = bounded
	until := all["until"].(func(int) []int)
	all["until"] = func(count int) []int {
		if count > limit || count < -limit {
			panic(tooLarge)
		}
		return until(count)
	}
	seq := all["seq"].(func(...int) string)
	all["seq"] = func(bounds ...int) string {
		for _, bound := range bounds {
			if bound > limit/4 || bound < -limit/4 {
				panic(tooLarge)
			}
		}
		return seq(bounds...)
	}
	for _, name := range []string{"repeat", "indent", "nindent"} {
		function := all[name].(func(int, string) string)
		all[name] = func(count int, text string) string {
			if count > limit || len(text) > 0 && count > limit/len(text) {
				panic(tooLarge)
			}
			return function(count, text)
		}
	}
	return all
}

// output ends a run that writes too much or takes too long.
type output struct {
	strings.Builder
	deadline time.Time
}

func (o *output) Write(text []byte) (int, error) {
	if o.Len()+len(text) > limit || time.Now().After(o.deadline) {
		return 0, tooLarge
	}
	return o.Builder.Write(text)
}

func (q question) run() (string, string) {
	t, err := template.New("commit message").Funcs(functions()).Parse(q.Template)
	if err != nil {
		return "", "unable to create commit message template from spec: " + err.Error()
	}
	out := output{deadline: time.Now().Add(5 * time.Second)}
	if err := t.Execute(&out, q.data()); err != nil {
		return "", "failed to run template from spec: " + err.Error()
	}
	return out.String(), ""
}

func (q question) answer() answer {
	outputs, failures := map[string]bool{}, map[string]bool{}
	for range max(q.Runs, 1) {
		output, failure := q.run()
		if failure != "" {
			failures[failure] = true
		} else {
			outputs[output] = true
		}
	}
	a := answer{Outputs: [][]byte{}, Errors: []string{}}
	for output := range outputs {
		a.Outputs = append(a.Outputs, []byte(output))
	}
	for failure := range failures {
		a.Errors = append(a.Errors, failure)
	}
	sort.Slice(a.Outputs, func(i, j int) bool { return string(a.Outputs[i]) < string(a.Outputs[j]) })
	sort.Strings(a.Errors)
	return a
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := encoder.Encode(q.answer()); err != nil {
			panic(err)
		}
	}
}
