// Package remote reaches targets: connections by SSH or adb, commands with
// streams, and the deployment of the runner, models and data by content hash.
//
// Nothing is installed on a target and nothing there needs root. A target gets
// one folder, its cache:
//
//	<sha256>               a deployed file or folder, complete and verified
//	<sha256>.<owner>.part  one under way; an upload goes on from it
//	<sha256>.<owner>.use   its time says when the entry was used last
//	run/<owner>.<n>.pid    a process started here: boot, number and start time
//
// where owner names the controller's machine and process. What a target says is
// hostile input: its key is checked, its answers are bounded, its names are
// checked, its files are believed only by their hash.
//
// Errors hold a [wire.Error] that says whose fault it is: the target's (it is
// away, full, changed, or answers nonsense) or the harness's (a key or a setting
// on this side).
package remote
