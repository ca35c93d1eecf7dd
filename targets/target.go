package targets

// Local is the name of the machine on which the harness runs. It is always there
// and needs no entry.
const Local = "local"

// Transports by which a target is reached.
const (
	SSH = "ssh"
	ADB = "adb"
)

// Target is one machine. The tags doc and enum feed the JSON schema and the checks.
type Target struct {
	Name      string   `yaml:"name" json:"name" doc:"how commands and tables call the target: letters, digits, dot, dash, underscore"`
	Address   string   `yaml:"address,omitempty" json:"address,omitempty" doc:"host name, IPv4 or IPv6 address, or a Host of the SSH configuration; the serial number with adb"`
	Transport string   `yaml:"transport,omitempty" json:"transport,omitempty" enum:"ssh,adb" doc:"how the target is reached; default ssh"`
	User      string   `yaml:"user,omitempty" json:"user,omitempty" doc:"login; default as in the SSH configuration, else this user's name"`
	Port      int      `yaml:"port,omitempty" json:"port,omitempty" doc:"default as in the SSH configuration, else 22, or 8022 for a phone (Termux)"`
	Jump      []string `yaml:"jump,omitempty" json:"jump,omitempty" doc:"hosts to go through, in order: [user@]host[:port]"`
	KeyFile   string   `yaml:"key_file,omitempty" json:"key_file,omitempty" doc:"private key; default the agent, the SSH configuration's and the usual files"`
	HostKey   string   `yaml:"host_key,omitempty" json:"host_key,omitempty" doc:"the machine's public key (TYPE BASE64), pinned by harness targets add; without it known_hosts decides"`
	CacheDir  string   `yaml:"cache_dir,omitempty" json:"cache_dir,omitempty" doc:"folder on the target for runner, models and data; default $XDG_CACHE_HOME/harness"`

	Board  string   `yaml:"board,omitempty" json:"board,omitempty" enum:"auto,pi5,pi4,pi3,orin-nano,orin-nx,agx-orin,xavier-nx,agx-xavier,jetson-nano,rb3gen2,rb5,phone,generic" doc:"kind of board, which harness targets doctor compares with what it finds; default auto"`
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty" doc:"groups that --target label=NAME selects"`

	Rails []Rail   `yaml:"rails,omitempty" json:"rails,omitempty" doc:"supplies whose sensor is not found or not described by the board itself"`
	Total []string `yaml:"total,omitempty" json:"total,omitempty" doc:"rails whose sum is the board's power; default the rule of its kind"`
	Meter *Meter   `yaml:"meter,omitempty" json:"meter,omitempty" doc:"meter outside the board, read by the controller"`

	Battery *Battery `yaml:"battery,omitempty" json:"battery,omitempty" doc:"how the board's fuel gauge tells its current, where that is not found out rightly"`

	PowerMode string   `yaml:"power_mode,omitempty" json:"power_mode,omitempty" doc:"nvpmodel mode wanted, by name or number; set where sudo allows nvpmodel, else only compared"`
	Governor  string   `yaml:"governor,omitempty" json:"governor,omitempty" doc:"cpufreq governor wanted; set where sudo allows cpufreq-governor, else only compared"`
	Fan       string   `yaml:"fan,omitempty" json:"fan,omitempty" doc:"fan wanted: auto, max or a duty of 0% to 100%; compared by harness targets doctor, never set"`
	CPUSet    string   `yaml:"cpuset,omitempty" json:"cpuset,omitempty" doc:"CPUs for the runner, as in 0-3,6"`
	Sudo      []string `yaml:"sudo,omitempty" json:"sudo,omitempty" enum:"nvpmodel,jetson_clocks,cpufreq-governor" doc:"what the harness may do by sudo -n: nvpmodel sets the power mode, jetson_clocks locks a Jetson's clocks, cpufreq-governor writes the governor (by tee); default none"`

	Virtual *Virtual `yaml:"virtual,omitempty" json:"virtual,omitempty" doc:"a virtual board that the harness starts on this machine"`
}

// Rail is one supply and the sensor behind it.
type Rail struct {
	Name      string `yaml:"name" json:"name" doc:"as the board labels it, such as VDD_IN"`
	ShuntUOhm int    `yaml:"shunt_uohm,omitempty" json:"shunt_uohm,omitempty" doc:"shunt in µΩ; default what the board says"`
	Bus       string `yaml:"bus,omitempty" json:"bus,omitempty" doc:"I2C bus on the board, such as 1; all rails with a bus are of one sensor"`
	Address   int    `yaml:"address,omitempty" json:"address,omitempty" doc:"I2C address of the sensor, such as 0x40"`
	Chip      string `yaml:"chip,omitempty" json:"chip,omitempty" enum:"auto,ina219,ina226,ina3221" doc:"sensor; default auto"`
	Channel   int    `yaml:"channel,omitempty" json:"channel,omitempty" doc:"channel of a sensor with several, from 1"`

	MaxAmps  float64 `yaml:"max_amps,omitempty" json:"max_amps,omitempty" doc:"highest current expected through an I2C sensor, A; chooses an INA219's range; default the whole range"`
	Volts    float64 `yaml:"volts,omitempty" json:"volts,omitempty" doc:"nominal voltage, V; an I2C sensor that sees one more than a fifth away is refused; default no check"`
	ShuntRel float64 `yaml:"shunt_rel,omitempty" json:"shunt_rel,omitempty" doc:"relative tolerance of an I2C sensor's shunt, 0.005 for 0.5 %; default 0.01"`
}

// Battery is what a fuel gauge's current means.
type Battery struct {
	Sign  int     `yaml:"sign,omitempty" json:"sign,omitempty" doc:"1 where a discharge counts as positive, -1 where as negative; default found out at the start"`
	Scale float64 `yaml:"scale,omitempty" json:"scale,omitempty" doc:"what makes the current µA: 1, or 1000 for a gauge that tells mA; default found out at the start"`
}

// Meter is a meter outside the board.
type Meter struct {
	Kind      string `yaml:"kind" json:"kind" enum:"tasmota,shelly,serial,i2c" doc:"what it is"`
	URL       string `yaml:"url,omitempty" json:"url,omitempty" doc:"address of a tasmota or shelly plug"`
	Device    string `yaml:"device,omitempty" json:"device,omitempty" doc:"serial port of a meter that writes CSV lines"`
	Baud      int    `yaml:"baud,omitempty" json:"baud,omitempty" doc:"of the serial port; default 115200"`
	Bus       string `yaml:"bus,omitempty" json:"bus,omitempty" doc:"I2C bus on this machine"`
	Address   int    `yaml:"address,omitempty" json:"address,omitempty" doc:"I2C address of the sensor"`
	Chip      string `yaml:"chip,omitempty" json:"chip,omitempty" enum:"auto,ina219,ina226,ina3221" doc:"I2C sensor; default auto"`
	ShuntUOhm int    `yaml:"shunt_uohm,omitempty" json:"shunt_uohm,omitempty" doc:"shunt in µΩ"`
	Scope     string `yaml:"scope,omitempty" json:"scope,omitempty" enum:"wall,board-5V,board-12V,battery,module" doc:"where a serial or I2C meter is wired; plugs are at the wall"`
	Channel   int    `yaml:"channel,omitempty" json:"channel,omitempty" doc:"outlet of a plug with several or channel of an I2C sensor, from 1; default the first"`

	MaxAmps  float64 `yaml:"max_amps,omitempty" json:"max_amps,omitempty" doc:"highest current expected through an I2C sensor, A; chooses an INA219's range; default the whole range"`
	Volts    float64 `yaml:"volts,omitempty" json:"volts,omitempty" doc:"nominal voltage, V; an I2C sensor that sees one more than a fifth away is refused; default no check"`
	ShuntRel float64 `yaml:"shunt_rel,omitempty" json:"shunt_rel,omitempty" doc:"relative tolerance of an I2C sensor's shunt, 0.005 for 0.5 %; default 0.01"`
}

// Virtual describes a virtual board.
type Virtual struct {
	Kind   string `yaml:"kind" json:"kind" enum:"pi5,pi4,orin-nano,agx-orin,rb3gen2,phone" doc:"the board that it plays"`
	Faults string `yaml:"faults,omitempty" json:"faults,omitempty" doc:"faults to inject, such as throttle@10s,linkdown@20s"`
}

// Boards lists the kinds that an entry may name.
func Boards() []string { return enumOf(Target{}, "board") }

// VirtualKinds lists the kinds of virtual boards.
func VirtualKinds() []string { return enumOf(Virtual{}, "kind") }
