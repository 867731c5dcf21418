# shellcheck shell=bash
# Sourced: packages of Debian of any suite and architecture, as files, without touching the machine's own apt.
#
# Each suite gets an apt root of its own in $cache, which takes the mirror from the machine's sources and
# checks signatures with the distribution's keys. SUITE is a name such as trixie, or trixie:riscv64 for
# another architecture than amd64. The caller defines `die` and `say`.

# The address of the distribution's main archive, as this machine reaches it. Which of
# its sources that is, apt knows only once it has read their indexes.
mirror() {
    # shellcheck disable=SC2016 # the names are apt's, not the shell's
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" { print $2; exit }'
}

# apt_in SUITE apt-get|apt-cache ARG...: apt in the suite's own root.
apt_in() {
    local root=$cache/apt/$1 arch=amd64 tool=$2
    case $1 in *:*) arch=${1#*:} ;; esac
    shift 2
    "$tool" -qq -o Dir::Etc="$root" -o Dir::Etc::sourceparts=- -o Dir::State="$root" \
        -o Dir::State::status="$root/status" -o Dir::Cache="$root" \
        -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false "$@"
}

# update SUITE: read the suite's index from the mirror, once a run.
declare -A updated
mirror=
update() {
    local suite=$1 root=$cache/apt/$1
    [ -z "${updated[$suite]:-}" ] || return 0
    [ -n "$mirror" ] || mirror=$(mirror)
    if [ -z "$mirror" ]; then
        say "reading the indexes of this machine's sources"
        apt-get -qq update
        mirror=$(mirror)
    fi
    [ -n "$mirror" ] || die "no Debian archive among the sources of apt here"
    say "reading the index of $suite"
    mkdir -p "$root/lists/partial" "$root/archives/partial" "$root/preferences.d"
    : >"$root/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror ${suite%:*} main" \
        >"$root/sources.list"
    apt_in "$suite" apt-get update
    updated[$suite]=yes
}

# download FOLDER SUITE PACKAGE...: put the packages' files there, all or nothing.
download() {
    local folder=$1 suite=$2
    shift 2
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    (cd "$folder.new" && apt_in "$suite" apt-get download "$@") || return
    rm -rf "$folder"
    mv "$folder.new" "$folder"
}
