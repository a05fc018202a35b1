# Each target calls one command of `python3 -m course_build`, which makes the environment first where there is none.
# On Windows, or without make: type that command (README.md).
PYTHON ?= python3
RUN = $(PYTHON) -m course_build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

site: ## do all the set-up and render the blog into _site/ (FRESH=1 runs every lesson)
	@$(RUN) site $(if $(FRESH),--fresh)

test: ## prove everything: lint, tests, and every output of every notebook
	@$(RUN) check

lab: ## open your own copies of the lessons in JupyterLab (RESET=03 begins a lesson anew)
	@$(RUN) lab $(if $(RESET),--reset $(RESET)) $(if $(OPTIONS),-- $(OPTIONS))

execute: ## run the notebooks and refresh their saved outputs
	@$(RUN) execute

upgrade-report: ## run the lessons with the newest packages (or TRANSFORMERS=4.57.6) and say what breaks
	@$(RUN) upgrade-report $(if $(TRANSFORMERS),transformers==$(TRANSFORMERS)) $(WITH)

bench: ## measure speed beside the peers, all in one run
	@$(RUN) bench

clean: ## delete what was built; the environment and the models stay
	@$(RUN) clean

.PHONY: help site test lab execute upgrade-report bench clean
