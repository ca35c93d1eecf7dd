// Package virtual stands in for boards that are not attached: a real OpenSSH
// server in a network, process and mount namespace of its own, whose logins land
// in an arm64 userland under user-mode emulation with the board's own /sys,
// /proc and vendor commands.
//
// What is real: the SSH and SFTP protocol, the arm64 instructions (QEMU), files,
// signals, the network link. What is a model: what the board's processes want of
// the processors gives a load, the load gives currents, the currents give a
// temperature, and the temperature gives throttling; the sensors' files and
// registers show these with the resolution of their hardware. Given a load the
// figures are deterministic. What is emulated: the wall time of arithmetic,
// which says nothing of the board's own.
//
// The userland holds the file /etc/harness-virtual (Marker), by which a runner
// knows that its energy is simulated and its latency emulated. Thermal time
// constants are shortened to seconds (a real heat sink takes minutes), so that a
// plan can be tried in minutes.
//
// What gives the emulation away besides: the mailbox of a Raspberry Pi's firmware,
// /dev/vcio, is a socket (the emulator does not pass on a device's calls), process
// lists show the emulator's command lines, and a login ends only when everything
// that it started has ended.
//
// It needs Linux, OpenSSH's server, proot and qemu-aarch64-static, and fetches
// Debian's static arm64 busybox once. Namespaces need root; without, a board
// listens on a loopback port as the user (Board.Isolated is false), and faults
// that need a namespace are refused.
//
// Sources of the trees: docs of the boards as kept in this module's targets/board
// fixtures; kernel Documentation/ABI/testing/sysfs-class-{thermal,hwmon,power},
// drivers/hwmon/ina3221.c, raspberrypi-hwmon.c; vcgencmd(1).
package virtual
