// Print the scrape configuration that the Prometheus operator generates.
//
// Standard input is a stream of YAML documents: one Prometheus, and any number of PodMonitors, ServiceMonitors, ScrapeConfigs and
// PrometheusRules. Unknown fields and invalid rules are errors. The operator itself reads the same objects from the API server.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type objects struct {
	prometheus      *v1.Prometheus
	podMonitors     map[string]*v1.PodMonitor
	serviceMonitors map[string]*v1.ServiceMonitor
	scrapeConfigs   map[string]*v1alpha1.ScrapeConfig
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "operator-config:", err)
		os.Exit(1)
	}
}

func run(input io.Reader, output io.Writer) error {
	objs, err := read(input)
	if err != nil {
		return err
	}
	if objs.prometheus == nil {
		return errors.New("no object of kind Prometheus")
	}
	generator, err := prometheus.NewConfigGenerator(nil, objs.prometheus, prometheus.WithEndpointSliceSupport())
	if err != nil {
		return err
	}
	config, err := generator.GenerateServerConfiguration(
		objs.prometheus, objs.serviceMonitors, objs.podMonitors, nil, objs.scrapeConfigs,
		assets.NewTestStoreBuilder(), nil, nil, nil, nil,
	)
	if err != nil {
		return err
	}
	_, err = output.Write(config)
	return err
}

func read(input io.Reader) (*objects, error) {
	objs := &objects{
		podMonitors:     map[string]*v1.PodMonitor{},
		serviceMonitors: map[string]*v1.ServiceMonitor{},
		scrapeConfigs:   map[string]*v1alpha1.ScrapeConfig{},
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(input))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objs, nil
		}
		if err != nil {
			return nil, err
		}
		if err := objs.add(document); err != nil {
			return nil, err
		}
	}
}

func (objs *objects) add(document []byte) error {
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	key := head.Namespace + "/" + head.Name
	var err error
	switch head.Kind {
	case v1.PrometheusesKind:
		objs.prometheus, err = strict[v1.Prometheus](document)
	case v1.PodMonitorsKind:
		objs.podMonitors[key], err = strict[v1.PodMonitor](document)
	case v1.ServiceMonitorsKind:
		objs.serviceMonitors[key], err = strict[v1.ServiceMonitor](document)
	case v1alpha1.ScrapeConfigsKind:
		objs.scrapeConfigs[key], err = strict[v1alpha1.ScrapeConfig](document)
	case v1.PrometheusRuleKind:
		err = checkRule(document)
	default:
		err = fmt.Errorf("unknown kind %q", head.Kind)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", head.Kind, key, err)
	}
	return nil
}

func strict[T any](document []byte) (*T, error) {
	obj := new(T)
	return obj, yaml.UnmarshalStrict(document, obj)
}

func checkRule(document []byte) error {
	rule, err := strict[v1.PrometheusRule](document)
	if err != nil {
		return err
	}
	return errors.Join(operator.ValidateRule(rule.Spec, model.UTF8Validation, parser.Options{})...)
}
