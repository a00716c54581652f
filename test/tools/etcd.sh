#!/bin/sh
# The real etcd that parity tests compare with: unpacks etcd-server and etcd-client from Debian's newest suite into a
# cache folder, without installing anything, and prints the folder with etcd, etcdctl and etcdutl in it.
# The mirror is the one that apt uses already.
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kedge-etcd
bin=$cache/root/usr/bin

if [ ! -x "$bin/etcd" ] || [ ! -x "$bin/etcdctl" ]; then
  command -v apt-get >/dev/null 2>&1 || { echo "etcd.sh: no apt-get here; put etcd 3.5 or newer somewhere and name its folder in KEDGE_ETCD35" >&2; exit 1; }
  mirror_of_apt() {
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n 's/^Debian //p' | grep -v security | head -n 1
  }
  mirror=$(mirror_of_apt)
  if [ -z "$mirror" ]; then
    # A machine whose lists were never fetched.
    apt-get -qq update >&2 || true
    mirror=$(mirror_of_apt)
  fi
  [ -n "$mirror" ] || { echo "etcd.sh: apt knows no mirror of Debian" >&2; exit 1; }
  work=$cache/apt.$$
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
  printf 'deb %s sid main\n' "$mirror" >"$work/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::Cache "$work";
APT::Sandbox::User "";
APT::Get::List-Cleanup "0";
CONF
  export APT_CONFIG="$work/apt.conf"
  (
    cd "$work"
    apt-get -qq update >&2
    apt-get -qq download etcd-server etcd-client >&2
    for package in etcd-*.deb; do dpkg-deb -x "$package" root; done
  )
  rm -rf "$cache/root"
  mv "$work/root" "$cache/root"
fi
printf '%s\n' "$bin"
