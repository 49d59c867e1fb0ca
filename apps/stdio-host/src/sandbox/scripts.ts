/**
 * Runs as the first process of the new namespaces, with capabilities in them: gives the server a private /tmp, /dev, /run and a
 * PATCHBAY_HOME in which only its own data directory exists, makes everything else read-only (root may write kernel settings in /proc
 * and /sys, and to disks in /dev, without any capability), and then drops every capability for good.
 * Positional: mount ip setpriv sh confined-script scratch home data-relative-to-home data etc-hosts address-count address… keep-count keep… rest…
 * Paths are arguments, never text of the script, so that no character in them means anything to the shell.
 * Everything is built inside one tmpfs and reached by its relative path, because covering one tree may hide another.
 */
export const MOUNT_SCRIPT = `
set -eu
mount=$1 ip=$2 setpriv=$3 sh=$4 confined=$5 scratch=$6 home=$7 rel=$8 data=$9
shift 9
hosts=$1 addresses=$2
shift 2
"$ip" link set lo up
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
while [ "$addresses" -gt 0 ]; do
  addresses=$((addresses - 1))
  "$ip" address add "$1/32" dev lo
  shift
done
keeps=$1
shift
"$mount" -t tmpfs -o mode=0755,nosuid,nodev,size=512m tmpfs "$scratch"
cd "$scratch"
mkdir home tmp run dev dev/shm
chmod 1777 tmp
mkdir -p "./home/$rel"
printf %s "$hosts" > hosts
"$mount" -c --rbind "$data" "./home/$rel"
while [ "$keeps" -gt 0 ]; do
  keeps=$((keeps - 1))
  if [ -d "$1" ]; then mkdir -p ".$1"; else : > ".$1"; fi
  "$mount" -c --rbind "$1" ".$1"
  shift
done
for device in null zero full random urandom; do
  : > "dev/$device"
  "$mount" -c --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
"$mount" -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs dev/shm
"$mount" -c --rbind ./tmp /tmp
"$mount" -c --rbind ./dev /dev
if [ -f /etc/hosts ]; then "$mount" -c --bind ./hosts /etc/hosts; fi
if [ -d /run ]; then "$mount" -c --rbind ./run /run; fi
if [ -d /sys/fs ]; then "$mount" -t tmpfs -o ro tmpfs /sys/fs; fi
mkdir -p "$home"
"$mount" -c --rbind ./home "$home"
while read -r _ _ _ _ target options _; do
  case $options in ro | ro,*) continue ;; esac
  target=$(printf %b "$target")
  case $target in "$data" | "$data"/* | /tmp | /dev/shm | /sys/fs/*) continue ;; esac
  if [ -e "$target" ]; then "$mount" -c -o "remount,bind,ro,\${options#rw,}" none "$target"; fi
done << MOUNTS
$(cat /proc/self/mountinfo)
MOUNTS
cd "$data"
exec "$setpriv" --bounding-set -all --inh-caps -all --no-new-privs -- "$sh" -c "$confined" sh "$@"
`;

/**
 * Runs without capabilities: only here do the server's own variables get their names, so that LD_PRELOAD or BASH_ENV of
 * a registration never reaches a program that could still undo the mounts. A limit that is lower already stays.
 * Positional: open-files file-blocks tasks count name… command arg…
 */
export const CONFINED_SCRIPT = `
ulimit -c 0
ulimit -n "$1" 2>/dev/null
ulimit -f "$2" 2>/dev/null
ulimit -u "$3" 2>/dev/null || ulimit -p "$3" 2>/dev/null
shift 3
__pb_left=$1 __pb_index=0
shift
while [ "$__pb_left" -gt 0 ]; do
  __pb_left=$((__pb_left - 1))
  __pb_name=$1
  shift
  eval "__pb_value=\\$PB_$__pb_index"
  unset "PB_$__pb_index"
  export "$__pb_name=$__pb_value"
  __pb_index=$((__pb_index + 1))
done
unset OLDPWD
exec "$@"
`;

/** Outermost: what it starts is in its control groups too. Positional: count file… command arg… */
export const ENTERING_SCRIPT = `
set -e
__pb_left=$1
shift
while [ "$__pb_left" -gt 0 ]; do
  __pb_left=$((__pb_left - 1))
  echo $$ > "$1"
  shift
done
unset __pb_left PWD OLDPWD
exec "$@"
`;
