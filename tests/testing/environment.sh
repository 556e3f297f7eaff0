# Sourced by what needs a Python environment of its own, which is made once, for several tests and working trees.
#
#   environment NAME SIZE DIRECTORY FILE ...
#
# prints where it is: DIRECTORY, or, where that is empty, ~/.cache/kvbroker/NAME-<hash of what is in the files>. The caller has a
# function `fill PYTHON`, which installs what goes in; it is called where the environment is not there yet.
shopt -s inherit_errexit  # a step of fill's that fails ends it, also where this is called in $( )
environment() {
  local name=$1 size=$2 target=$3 recipe
  shift 3
  recipe=$(cat "$@" | sha256sum | cut -c1-12)
  target=${target:-${XDG_CACHE_HOME:-$HOME/.cache}/kvbroker/$name-$recipe}
  if [ ! -e "$target/complete" ]; then
    mkdir -p "$(dirname "$target")"
    exec 9>"$target.lock"
    flock 9
  fi
  if [ ! -e "$target/complete" ]; then
    echo "making the Python environment $target ($size)" >&2
    rm -rf "$target"
    /usr/bin/python3 -m venv "$target"
    fill "$target/bin/python" >&2
    touch "$target/complete"
  fi
  echo "$target"
}
