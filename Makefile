# One-liners over the project's own tasks: `cargo xtask --help` explains each.
# ARGS passes arguments on: make test ARGS='-E "test(resume)"'. GPU=simulator adds invented GPUs to `make run`.

# As `cargo xtask`, but --bin takes the features of the whole workspace, so that no dependency is compiled twice.
XTASK = cargo run --quiet --bin xtask --
ARGS ?=
GPU ?= none

# Without these two not even the tasks can start; they name all else that is missing.
missing := $(strip $(foreach program,cargo cc,$(if $(shell command -v $(program)),,$(program))))
ifneq ($(missing),)
$(error missing on this machine: $(missing). Bywash needs Rust with cargo, a C and C++ compiler, Python 3.11+ with pip, Node 20.19+ with npm and make)
endif

.PHONY: run test proof bench bench-kb lint codegen render tools clean-data

run: ; @$(XTASK) run --gpu-source $(GPU) $(ARGS)
test: ; @$(XTASK) test $(ARGS)
proof: ; @$(XTASK) proof $(ARGS)
bench: ; @$(XTASK) bench $(ARGS)
bench-kb: ; @$(XTASK) bench-kb $(ARGS)
lint: ; @$(XTASK) lint
codegen: ; @$(XTASK) codegen
render: ; @$(XTASK) render
tools: ; @$(XTASK) tools
clean-data: ; @$(XTASK) clean-data
