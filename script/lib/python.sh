# The virtual environment .venv with this package in it. Sourced after packages.sh.

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      PYTHON=$name
      return 0
    fi
  done
  echo "no Python 3.11 or newer was found. Install one, for example: sudo apt-get install python3 python3-venv"
  return 1
}

# What an installation depends on. It is written into .venv when one is complete, so that the next run needs no registry.
inputs_of_venv() {
  .venv/bin/python -c 'import sys; print(sys.version)'
  cat pyproject.toml
}

venv_is_current() { # venv_is_current KIND
  [ -x .venv/bin/python ] && [ -f ".venv/installed-$1" ] && [ "$(inputs_of_venv)" = "$(cat ".venv/installed-$1")" ]
}

install_package() { # install_package run|dev
  if venv_is_current "$1"; then return 0; fi
  find_python
  if ! .venv/bin/python -m pip --version; then
    need "venv=$(venv_package)"
    "$PYTHON" -m venv --clear .venv
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' # the first with --group
  if [ "$1" = dev ]; then
    .venv/bin/python -m pip install --quiet --editable . --group dev
  else
    .venv/bin/python -m pip install --quiet --editable .
  fi
  inputs_of_venv >".venv/installed-$1"
}

# Debian's python3-venv belongs to its python3; another Python of its archive has a package of its own.
venv_package() {
  if [ "$PYTHON" = python3 ]; then echo python3-venv; else echo "$PYTHON-venv"; fi
}
