# Shared by the scripts beside it: where the project is, which PostgreSQL is meant, who runs the server.
# shellcheck shell=bash
set -euo pipefail

# With it, error messages of a server started here would have a backtrace in their detail.
unset RUST_BACKTRACE

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
PG_CONFIG=$(command -v "$PG_CONFIG" || echo "$PG_CONFIG")
export PG_CONFIG

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# Ends a test that cannot run here.
skip() {
  printf '\n*** SKIPPED: %s: %s. They did NOT run. ***\n\n' "$1" "$2" >&2
  exit 0
}

say() { printf '\033[1m== %s\033[0m\n' "$1" >&2; }

# The major version that PG_CONFIG belongs to: 15, 16, ...
pg_major() { "$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'; }

# Where cargo puts the library: a directory for each major version, so that switching rebuilds nothing.
target_dir() { echo "${CARGO_TARGET_DIR:-$ROOT/target}/pg$(pg_major)"; }

# Where the finished library is; one with further features, for tests, is not the one to install.
library_dir() { echo "$(target_dir)/library${ISCC_FEATURES:+-$ISCC_FEATURES}"; }

# PostgreSQL refuses to run as root; then the server is this user's.
server_user() {
  if [ "$(id -u)" != 0 ]; then
    id -un
  elif id -u postgres >/dev/null 2>&1; then
    echo postgres
  else
    echo nobody
  fi
}

# Runs a program as the server's user, in a directory that this user can enter.
as_server() (
  cd /
  if [ "$(id -u)" = 0 ]; then
    user=$(server_user)
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
  fi
  exec "$@"
)

# The version of the extension. Cargo.toml has it; scripts/check-versions compares the other places with that.
version() { sed -n '/^\[workspace.package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml"; }

# True if the changelog has a date for it.
is_released() { grep -qE "^## $(version) \([0-9]{4}-[0-9]{2}-[0-9]{2}\)$" "$ROOT/CHANGELOG.md"; }
