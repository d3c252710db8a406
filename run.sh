#!/bin/sh
# Builds zerotcp and runs it: `./run.sh [ARGUMENTS OF zerotcp serve]`, or another command of
# zerotcp with its arguments.
set -eu

usage() {
    cat <<'END'
Usage: ./run.sh [OPTIONS]          be a host on a TUN interface: zerotcp serve [OPTIONS]
       ./run.sh COMMAND [...]      another command, such as demo or validate FILE
       ./run.sh --help             this, and the help of zerotcp

Builds zerotcp first. Where a command needs it and you are not root, the program is given the
capability to configure networks (cap_net_admin) through sudo, once after each build.

Try it without any rights first:

  ./run.sh demo

Then ./run.sh, or ./run.sh --trace to see every segment, and in another terminal:

  ping 192.168.0.2
  nc -N 192.168.0.2 7
  curl http://192.168.0.2/

END
}

fail() {
    echo "run.sh: $1" >&2
    exit 2
}

# Finds a program, in sbin too, which is not on every user's path.
find_program() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1"
}

build() {
    # Where rustup puts it, for a terminal that was open before.
    PATH="$PATH:${HOME:-}/.cargo/bin"
    command -v cargo >/dev/null ||
        fail "cargo is missing: install Rust from https://rustup.rs, then open a new terminal"
    command -v cc >/dev/null ||
        fail "a C compiler is missing, which Rust links with: sudo apt install build-essential"
    [ -x "$program" ] || echo "Building zerotcp, which takes a minute" >&2
    cargo build --release --quiet --manifest-path "$here/Cargo.toml" --bin zerotcp ||
        fail "the build failed"
}

# Gives the program the capability to configure networks, unless it or the user has it.
grant() {
    [ "$(id -u)" -ne 0 ] || return 0
    setcap=$(find_program setcap) ||
        fail "setcap is missing, which grants rights to a program: sudo apt install libcap2-bin"
    getcap=$(find_program getcap) || getcap=true
    case $("$getcap" "$program") in
    *cap_net_admin*ep*) return 0 ;;
    esac
    command -v sudo >/dev/null || fail "sudo is missing: run this as root"
    echo "Granting cap_net_admin to $program" >&2
    sudo "$setcap" cap_net_admin=ep "$program" ||
        fail "cap_net_admin was not granted: run this as root, or ./run.sh demo without rights"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
program=${CARGO_TARGET_DIR:-$here/target}/release/zerotcp
# What the program calls itself where it says how to go on.
export ZEROTCP_PROGRAM="$0"

case ${1-} in
-h | --help | help)
    usage
    build
    shift
    exec "$program" help "$@"
    ;;
-V | --version)
    build
    exec "$program" --version
    ;;
'' | -*)
    build
    grant
    exec "$program" serve "$@"
    ;;
serve)
    build
    grant
    exec "$program" "$@"
    ;;
*)
    build
    exec "$program" "$@"
    ;;
esac
