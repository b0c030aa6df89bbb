# Sourced by the other scripts: where things are, how a stage is run and reported, how a Python environment is made.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# stage <title> <log> <command...>: runs it with its output in the log; one line if it succeeds, the log if not.
stage() {
    local title=$1 log=$2 begun=$SECONDS
    shift 2
    mkdir -p "$(dirname "$log")"
    if "$@" >"$log" 2>&1; then
        printf '%-44s ok      %4d s\n' "$title" "$((SECONDS - begun))"
    else
        printf '%-44s FAILED  %4d s\n' "$title" "$((SECONDS - begun))"
        sed 's/^/    /' "$log"
        return 1
    fi
}

# The Python to work with: $PYTHON, or the first one on the PATH that is new enough.
find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" ${PYTHON:+"$PYTHON"} python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
        [ -z "${PYTHON:-}" ] || break
    done
    die "${PYTHON:-python3} is not a Python 3.8 or newer; name one: PYTHON=/path/to/python $0"
}

# python_tag <python>: 3.11, 3.13t: one tag for each interpreter that needs a build of its own.
python_tag() {
    "$1" -c 'import sys, sysconfig
print("%d.%d%s" % (*sys.version_info[:2], "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""))'
}

# make_venv <python> <directory>: sets $venv_python; an environment that is there already is used again.
make_venv() {
    local python=$1 directory=$2
    venv_python=$directory/bin/python
    if ! "$venv_python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$directory"
        "$python" -m venv "$directory" || "$python" -m virtualenv --quiet "$directory" ||
            { say "No virtual environment: apt-get install python3-venv (Debian, Ubuntu), or pip install virtualenv"; return 1; }
    fi
    "$venv_python" -m pip install --quiet --upgrade pip
}

need_compiler() {
    local candidate
    for candidate in "${CXX:-c++}" g++ clang++; do
        command -v "$candidate" >/dev/null && return
    done
    die "no C++ compiler. Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install"
}

cmake_is_new_enough() {
    local version
    version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')
    [ -n "$version" ] && [ "$(printf '3.21\n%s\n' "$version" | sort -V | head -n 1)" = 3.21 ]
}

# cmake (3.21 for the presets) and ninja: the system's, or else from PyPI into the environment of $venv_python.
need_build_tools() {
    PATH=$(dirname "$venv_python"):$PATH
    local missing=()
    cmake_is_new_enough || missing+=(cmake)
    command -v ninja >/dev/null || missing+=(ninja)
    [ ${#missing[@]} -eq 0 ] || "$venv_python" -m pip install --quiet "${missing[@]}"
}

# The C++ tests need one header. Root on a machine with apt (a container, usually) gets it at once; others are told.
need_doctest() {
    printf '#include <doctest/doctest.h>\n' | "${CXX:-c++}" -E -x c++ - >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "doctest/doctest.h is missing: apt-get install doctest-dev"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes doctest-dev; } >/dev/null 2>&1 || true
    fi
}

# cpp_tests <preset> [wrapper...]: configure, build and run the C++ tests as CMakePresets.json says.
cpp_tests() {
    # The cache may name a compiler or a ninja that has gone; without it they are looked for again.
    rm -f "$root/build/$1/CMakeCache.txt"
    cd "$root" && cmake --preset "$1" --log-level=WARNING ${DOCTEST_INCLUDE_DIR:+"-DDOCTEST_INCLUDE_DIR=$DOCTEST_INCLUDE_DIR"} &&
        cmake --build --preset "$1" && "${@:2}" ctest --preset "$1" --no-tests=error
}

# install_examples <log>: what examples and pages use besides the pool, as far as there are wheels for this Python. The
# tests of what is missing are skipped, and say so; with NB_AIOPOOL_COMPLETE=1 they fail.
install_examples() {
    local list='import importlib.metadata as metadata
from pip._vendor.packaging.requirements import Requirement
for requirement in map(Requirement, metadata.requires("nb_aiopool")):
    marker = requirement.marker
    if marker and not marker.evaluate({"extra": ""}) and marker.evaluate({"extra": "examples"}):
        print(requirement.name + str(requirement.specifier))'
    local package
    local -a packages=() missing=()
    # Not mapfile: the bash of macOS does not have it.
    while read -r package; do packages+=("$package"); done < <("$venv_python" -c "$list")
    [ ${#packages[@]} -gt 0 ] || { say "the package names no extra called examples"; return 1; }
    "$venv_python" -m pip install --quiet --only-binary :all: "${packages[@]}" >"$1" 2>&1 && return
    for package in "${packages[@]}"; do
        "$venv_python" -m pip install --quiet --only-binary :all: "$package" >>"$1" 2>&1 || missing+=("$package")
    done
    say "no wheels for this Python, their examples are left out: ${missing[*]}"
}

# install_uvloop <log>: the Python tests run on uvloop too where it comes ready-made; a bonus, not a condition.
install_uvloop() {
    # A uvloop that switches the GIL back on would make the tests of a free-threaded Python pointless.
    local works='import sys, sysconfig, uvloop
sys.exit(bool(sysconfig.get_config_var("Py_GIL_DISABLED")) and sys._is_gil_enabled())'
    if ! { "$venv_python" -m pip install --quiet --only-binary :all: uvloop && "$venv_python" -W ignore -c "$works"; } \
        >"$1" 2>&1; then
        "$venv_python" -m pip uninstall --quiet --yes uvloop >>"$1" 2>&1 || true
        say "uvloop has no wheel that works with this Python: its tests are left out"
    fi
}
