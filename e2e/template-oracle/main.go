// The reference that the template engine is compared with: Go's own text/template and sprig, with the functions that
// Argo CD adds. Reads one question a line on stdin, answers each with one line on stdout.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
	"github.com/gosimple/slug"
	"github.com/valyala/fasttemplate"
	"sigs.k8s.io/yaml"
)

type question struct {
	Template   string            `json:"template"`
	Params     map[string]any    `json:"params"`
	GoTemplate bool              `json:"goTemplate"`
	Options    []string          `json:"options"`
	Typed      map[string]string `json:"typed"`
}

type answer struct {
	// Each byte that is no UTF-8 becomes U+FFFD, as Go writes it into JSON.
	Output *string `json:"output,omitempty"`
	// parse, exec, fasttemplate, panic or timeout.
	Stage string `json:"stage,omitempty"`
	Error string `json:"error,omitempty"`
}

const bound = 5 * time.Second

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			data, _ := json.Marshal(answerTo(line))
			out.Write(append(data, '\n'))
			// At once: a template that makes a circle of maps ends this program, and the answers before count.
			out.Flush()
		}
		if err != nil {
			out.Flush()
			return
		}
	}
}

func answerTo(line []byte) answer {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Stage: "question", Error: err.Error()}
	}
	for path, kind := range asked.Typed {
		retype(asked.Params, strings.Split(path, "."), kind)
	}
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if thrown := recover(); thrown != nil {
				done <- answer{Stage: "panic", Error: fmt.Sprint(thrown)}
			}
		}()
		done <- render(asked)
	}()
	select {
	case result := <-done:
		return result
	case <-time.After(bound):
		return answer{Stage: "timeout"}
	}
}

func render(asked question) answer {
	if !asked.GoTemplate {
		return renderFast(asked)
	}
	made, err := template.New("base").Funcs(functions).Parse(asked.Template)
	if err != nil {
		return answer{Stage: "parse", Error: err.Error()}
	}
	made = made.Option(asked.Options...)
	var output limited
	if err := made.Execute(&output, asked.Params); err != nil {
		if errors.Is(err, errTooLong) {
			return answer{Stage: "timeout"}
		}
		return answer{Stage: "exec", Error: err.Error()}
	}
	return written(output.String())
}

func written(text string) answer { return answer{Output: &text} }

var errTooLong = errors.New("the output is too long")

type limited struct{ bytes.Buffer }

func (l *limited) Write(data []byte) (int, error) {
	if l.Len()+len(data) > 1<<20 {
		return 0, errTooLong
	}
	return l.Buffer.Write(data)
}

var templated = regexp.MustCompile(`{{.*}}`)

func renderFast(asked question) answer {
	if !templated.MatchString(asked.Template) {
		return written(asked.Template)
	}
	made, err := fasttemplate.NewTemplate(asked.Template, "{{", "}}")
	if err != nil {
		return answer{Stage: "fasttemplate", Error: err.Error()}
	}
	filled := made.ExecuteFuncString(func(w io.Writer, tag string) (int, error) {
		name := strings.TrimSpace(tag)
		value, isText := asked.Params[name].(string)
		if name == "" || !isText {
			return w.Write([]byte("{{" + tag + "}}"))
		}
		return w.Write([]byte(value))
	})
	return written(filled)
}

func retype(params map[string]any, path []string, kind string) {
	at := params
	for _, key := range path[:len(path)-1] {
		at = at[key].(map[string]any)
	}
	last := path[len(path)-1]
	switch given := at[last].(type) {
	case map[string]any:
		made := map[string]string{}
		for key, value := range given {
			made[key] = value.(string)
		}
		at[last] = made
	case []any:
		made := make([]string, 0, len(given))
		for _, value := range given {
			made = append(made, value.(string))
		}
		at[last] = made
	default:
		panic(kind)
	}
}

var functions = func() template.FuncMap {
	all := sprig.GenericFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(all, name)
	}
	all["normalize"] = normalize
	all["slugify"] = slugify
	all["toYaml"] = func(value any) (string, error) {
		data, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(data), "\n"), err
	}
	all["fromYaml"] = func(text string) (map[string]any, error) {
		made := map[string]any{}
		err := yaml.Unmarshal([]byte(text), &made)
		return made, err
	}
	all["fromYamlArray"] = func(text string) ([]any, error) {
		made := []any{}
		err := yaml.Unmarshal([]byte(text), &made)
		return made, err
	}
	return all
}()

var notInName = regexp.MustCompile(`[^-a-z0-9.]`)

func normalize(name string) string {
	name = notInName.ReplaceAllString(strings.ToLower(name), "-")
	if len(name) > 253 {
		name = name[:253]
	}
	return strings.Trim(name, "-.")
}

func slugify(args ...any) string {
	size, smart, name := 50, true, ""
	for index, arg := range args {
		switch {
		case index == len(args)-1:
			name = arg.(string)
		case index == 0:
			size = arg.(int)
		case index == 1:
			smart = arg.(bool)
		}
	}
	slug.EnableSmartTruncate = smart
	slug.MaxLength = size
	return slug.Make(normalize(name))
}
