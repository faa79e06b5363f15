#!/usr/bin/python
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_variables
short_description: Hold a node's variables against the roles' argument specifications
description:
  - Checks, for every role named, that each variable with the role's prefix exists in C(meta/argument_specs.yml) and has the right type.
  - Runs on the controller only. It connects to nothing and changes nothing.
options:
  roles:
    description: Names of the roles of this collection whose variables are checked.
    type: list
    elements: str
    required: true
author:
  - The GPU fleet toolkit authors
attributes:
  check_mode:
    description: Nothing is changed, so check mode is the same.
    support: full
"""

EXAMPLES = r"""
- name: Refuse mistyped variables before anything is changed
  gpu.fleet.validate_variables:
    roles: [ssh, jupyter]
"""

RETURN = r"""
problems:
  description: What is wrong, one line each, with the next step.
  type: list
  elements: str
  returned: always
"""
