# Everything a newcomer needs: `make demo` shows it, `make test` proves it.
LAB ?= tests/lab/lab

.PHONY: demo test fast-test endurance e2e-mongo bench clean-lab mongo-conformance crds docs monitoring

demo: ## A real three-node cluster, the operator, examples/eaiser.yaml, Ready, traffic
	tests/demo.sh

test: ## Every test, the cluster's included; prints the time of each stage
	tests/run.sh

fast-test: ## What needs no cluster
	tests/run.sh --fast

endurance: ## Every crash point, API fault and loss of the leader, of which test tries a sample
	tests/run.sh cluster-up endurance cluster-down

e2e-mongo: ## MongoDB through every change and failure, under a writer; MONGOD=/path/to/mongod for a real one
	tests/run.sh packages mongodb

bench: ## Speed, memory and size, beside what the API server can do at all
	tests/bench.sh

clean-lab: ## Stop the clusters of demo and test, also half-started ones
	tests/clean-lab.sh

mongo-conformance: ## What the operator relies on, against $$MONGOD or the stand-in
	cd tests/lab/mongo-conformance && go test -count=1 -v .

crds: ## Write crds/ and the chart's copy anew from the types
	cargo run --quiet -- crd > crds/eaiserclusters.yaml.new
	mv crds/eaiserclusters.yaml.new crds/eaiserclusters.yaml
	cp crds/eaiserclusters.yaml charts/eaiser-operator/files/

monitoring: ## Write the chart's dashboard and the alerts about the operator anew from the code
	cargo run --quiet -- monitoring dashboard > charts/eaiser-operator/files/dashboard.json
	cargo run --quiet -- monitoring operator-rules > charts/eaiser-operator/files/operator-rules.yaml

docs: ## Write docs/fields.md anew from the types
	cargo run --quiet -- fields > docs/fields.md.new
	mv docs/fields.md.new docs/fields.md
