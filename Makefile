# One command each for a newcomer. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-driver test-vm test-image lint clean setup

NODES ?= 2
IMAGE ?= cpu
PORT ?= 20022
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## A fleet of containers with simulated GPUs, from bare to verdict (NODES=2, IMAGE=cpu or cuda)
	ansible-playbook playbooks/sandbox.yml -i inventories/sandbox -e sandbox_nodes=$(NODES) -e sandbox_image=$(IMAGE)
	ansible-playbook site.yml -i inventories/sandbox

test: ## Everything: linters, unit and contract tests, the packages, and Molecule on real nodes
	@tests/sandbox/setup.sh torch
	tests/run.sh

test-driver: setup ## What of the driver takes long: modules compiled for real, installations interrupted anywhere, other systems
	tests/driver.sh

test-vm: setup ## The driver's kernel module in a virtual machine with a kernel of its own (PORT=20022)
	tests/vm/setup.sh
	tests/vm/run.sh $(PORT)

test-image: setup ## The workspace image on the real PyTorch 2.7.1 with CUDA: what is inside, how large, how fast (fetches 3 GB)
	tests/image/run.sh

lint: setup ## The linters at their strictest
	tests/lint.sh

clean: ## Remove everything that the others made
	tests/sandbox/clean.sh

setup:
	@tests/sandbox/setup.sh
