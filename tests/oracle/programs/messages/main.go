// Answers what text/template with Sprig's hermetic functions makes of commit message templates.
// A question and its answer are one line of JSON each; bytes are in base64.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"runtime/debug"
	"sort"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"

	earliersource "messages/earlier/source"
	earlierupdate "messages/earlier/update"
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
	// Flux is whose data the template sees: 2.6, 2.8 for 2.7 too, or the current one.
	Flux string
	Runs int
	// Functions asks for the names of the functions instead.
	Functions bool
}

// answer has every output and error text that the runs gave, sorted.
type answer struct {
	Outputs [][]byte `json:"outputs"`
	Errors  []string `json:"errors"`
}

func (q question) data() any {
	automation := types.NamespacedName{Namespace: q.Namespace, Name: q.Name}
	changes := q.fileChanges()
	switch q.Flux {
	case "2.6":
		images := oldupdate.Result{Files: q.images()}
		changed := oldupdate.ResultV2{ImageResult: images, FileChanges: changes}
		return oldsource.TemplateData{AutomationObject: automation, Updated: images, Changed: changed, Values: q.Values}
	case "2.8":
		changed := earlierupdate.Result{FileChanges: changes}
		return earliersource.TemplateData{AutomationObject: automation, Changed: changed, Values: q.Values}
	default:
		changed := update.Result{FileChanges: changes}
		return source.TemplateData{AutomationObject: automation, Changed: changed, Values: q.Values}
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

// check ends the run when there are too many numbers from start to stop.
func check(start, stop, step int) {
	if step > 0 && stop > start && uint(stop-start)/uint(step) > limit || step < 0 && stop < start && uint(start-stop)/uint(-step) > limit {
		panic(tooLarge)
	}
}

// notCarriedOut ends the runs that call what makes keys, certificates or hashes.
var notCarriedOut = errors.New("not carried out")

// known are the functions that the other side knows by name and arguments only.
var known = []string{
	"bcrypt", "htpasswd", "genPrivateKey", "derivePassword", "buildCustomCert", "genCA", "genCAWithKey",
	"genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "encryptAES", "decryptAES",
}

// functions are Sprig's, with a bound on those that make much out of little.
func functions() template.FuncMap {
	all := sprig.HermeticTxtFuncMap()
	untilStep := all["untilStep"].(func(int, int, int) []int)
	all["untilStep"] = func(start, stop, step int) []int {
		check(start, stop, step)
		return untilStep(start, stop, step)
	}
	until := all["until"].(func(int) []int)
	all["until"] = func(count int) []int {
		check(0, count, 1)
		check(0, count, -1)
		return until(count)
	}
	seq := all["seq"].(func(...int) string)
	all["seq"] = func(bounds ...int) string {
		start, step, end := 1, 1, 0
		switch len(bounds) {
		case 1:
			end = bounds[0]
		case 2:
			start, end = bounds[0], bounds[1]
		case 3:
			start, step, end = bounds[0], bounds[1], bounds[2]
		}
		beyond := 1
		if end < start {
			beyond = -1
			if len(bounds) < 3 {
				step = -1
			}
		}
		if len(bounds) < 3 || end >= start || step < 0 {
			check(start, end+beyond, step)
		}
		return seq(bounds...)
	}
	for _, name := range []string{"repeat", "indent", "nindent"} {
		function := all[name].(func(int, string) string)
		all[name] = func(count int, text string) string {
			times := len(text)
			if name != "repeat" {
				times = 1 + strings.Count(text, "\n")
			}
			if count > limit || times > 0 && count > limit/times {
				panic(tooLarge)
			}
			return function(count, text)
		}
	}
	for _, name := range known {
		function := func([]reflect.Value) []reflect.Value { panic(notCarriedOut) }
		all[name] = reflect.MakeFunc(reflect.TypeOf(all[name]), function).Interface()
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

// run gives an output or an error text.
func (q question) run(t *template.Template) (string, string) {
	out := output{deadline: time.Now().Add(5 * time.Second)}
	if err := t.Execute(&out, q.data()); err != nil {
		return "", "failed to run template from spec: " + err.Error()
	}
	return out.String(), ""
}

func (q question) answer() answer {
	a := answer{Outputs: [][]byte{}, Errors: []string{}}
	if q.Functions {
		for name := range sprig.HermeticTxtFuncMap() {
			a.Outputs = append(a.Outputs, []byte(name))
		}
		return a
	}
	t, err := template.New("commit message").Funcs(functions()).Parse(q.Template)
	if err != nil {
		a.Errors = append(a.Errors, "unable to create commit message template from spec: "+err.Error())
		return a
	}
	outputs, failures := map[string]bool{}, map[string]bool{}
	for range max(q.Runs, 1) {
		output, failure := q.run(t)
		if failure != "" {
			failures[failure] = true
		} else {
			outputs[output] = true
		}
	}
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
	// The controllers' image has no time zone of its own.
	if err := os.Setenv("TZ", ""); err != nil {
		panic(err)
	}
	// What never ends ends the program soon.
	debug.SetMaxStack(64 << 20)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	// Not buffered: a template can end the program, and then the answers before it count.
	encoder := json.NewEncoder(os.Stdout)
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
