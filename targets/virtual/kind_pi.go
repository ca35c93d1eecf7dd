package virtual

const (
	a72Features = "fp asimd evtstrm crc32 cpuid"
	a76Features = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)

// pi5 is a Raspberry Pi 5 with an active cooler on a 27 W supply.
var pi5 = spec{
	kind: "pi5", model: "Raspberry Pi 5 Model B Rev 1.0", compatible: []string{"raspberrypi,5-model-b", "brcm,bcm2712"},
	user: "pi", home: "/home/pi", port: 22, kernel: "6.6.51+rpt-rpi-2712", qemu: "cortex-a76",
	clusters: []cluster{{cores: 4, implementer: 0x41, part: 0xd0b, minKHz: 1500000, maxKHz: 2400000, capacity: 1024, features: a76Features}},
	revision: "Revision\t: d04170\nSerial\t\t: 0000000000000000\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
	memory:   8 << 30,
	zones:    []string{"cpu-thermal"},
	thermal:  thermal{ambientC: 38, riseC: 27, tauS: 4, throttleC: 80},
	supply:   supply{volts: 5.12, ohms: 0.03, sagV: 4.55},
	sensor:   sensorPMIC,
	// The twelve pairs of the PMIC. What the 5 V input feeds beside them (USB,
	// fan, losses) no rail shows.
	rails: []rail{
		{name: "3V7_WL_SW", volts: 3.70, idle: 0.05},
		{name: "3V3_SYS", volts: 3.31, idle: 0.20, full: 0.03},
		{name: "1V8_SYS", volts: 1.80, idle: 0.33, full: 0.05},
		{name: "DDR_VDD2", volts: 1.10, idle: 0.02, full: 0.35},
		{name: "DDR_VDDQ", volts: 0.61, idle: 0.01, full: 0.12},
		{name: "1V1_SYS", volts: 1.10, idle: 0.20, full: 0.05},
		{name: "0V8_SW", volts: 0.80, idle: 0.29, full: 0.06},
		{name: "VDD_CORE", volts: 0.88, idle: 0.85, full: 5.40},
		{name: "3V3_DAC", volts: 3.31, idle: 0.0002},
		{name: "3V3_ADC", volts: 3.31, idle: 0.0003},
		{name: "0V8_AON", volts: 0.80, idle: 0.005},
		{name: "HDMI", volts: 5.07, idle: 0.11},
	},
}

// pi4 is a Raspberry Pi 4 with a heat sink; it has no current sensor, so an
// INA226 stands in its 5 V lead.
var pi4 = spec{
	kind: "pi4", model: "Raspberry Pi 4 Model B Rev 1.4", compatible: []string{"raspberrypi,4-model-b", "brcm,bcm2711"},
	user: "pi", home: "/home/pi", port: 22, kernel: "6.6.51+rpt-rpi-v8", qemu: "cortex-a72",
	clusters: []cluster{{cores: 4, implementer: 0x41, part: 0xd08, minKHz: 600000, maxKHz: 1800000, capacity: 1024, features: a72Features}},
	revision: "Revision\t: d03114\nSerial\t\t: 0000000000000000\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
	memory:   8 << 30,
	zones:    []string{"cpu-thermal"},
	thermal:  thermal{ambientC: 42, riseC: 26, tauS: 5, throttleC: 80},
	supply:   supply{volts: 5.10, ohms: 0.05, sagV: 4.55},
	sensor:   sensorController,
	rails:    []rail{{name: "5V_IN", volts: 5.10, idle: 2.70, full: 3.80}},
}
