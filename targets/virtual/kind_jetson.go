package virtual

const a78aeFeatures = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp uscat ilrcpc flagm paca pacg"

// orinNano is a Jetson Orin Nano developer kit of 8 GB under JetPack 6.
var orinNano = spec{
	kind: "orin-nano", model: "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
	compatible: []string{"nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"},
	user:       "jetson", home: "/home/jetson", port: 22, kernel: "5.15.148-tegra", qemu: "cortex-a76",
	clusters: []cluster{
		{cores: 4, implementer: 0x41, part: 0xd42, minKHz: 115200, maxKHz: 1728000, capacity: 1024, features: a78aeFeatures},
		{cores: 2, implementer: 0x41, part: 0xd42, minKHz: 115200, maxKHz: 1728000, capacity: 1024, features: a78aeFeatures},
	},
	memory:  8 << 30,
	zones:   []string{"cpu-thermal", "gpu-thermal", "soc0-thermal", "soc1-thermal", "soc2-thermal", "tj-thermal"},
	cooling: []string{"cpufreq-cpu0", "cpufreq-cpu4"},
	thermal: thermal{ambientC: 40, riseC: 16, tauS: 5, throttleC: 99},
	supply:  supply{volts: 5.02, ohms: 0.01, sagV: 4.50},
	sensor:  sensorHwmon,
	rails: []rail{
		{name: "VDD_IN", volts: 5.02, idle: 4.60, full: 6.40},
		{name: "VDD_CPU_GPU_CV", volts: 5.02, idle: 0.55, full: 4.70, inInput: true},
		{name: "VDD_SOC", volts: 5.02, idle: 1.35, full: 0.70, inInput: true},
	},
	modes: []mode{{"15W", 0.876}, {"25W", 1}, {"MAXN_SUPER", 1}, {"7W", 0.556}},
}

// agxOrin is a Jetson AGX Orin developer kit of 64 GB; its module has no input rail.
var agxOrin = spec{
	kind: "agx-orin", model: "NVIDIA Jetson AGX Orin Developer Kit",
	compatible: []string{"nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"},
	user:       "jetson", home: "/home/jetson", port: 22, kernel: "5.15.148-tegra", qemu: "cortex-a76",
	clusters: []cluster{
		{cores: 4, implementer: 0x41, part: 0xd42, minKHz: 115200, maxKHz: 2201600, capacity: 1024, features: a78aeFeatures},
		{cores: 4, implementer: 0x41, part: 0xd42, minKHz: 115200, maxKHz: 2201600, capacity: 1024, features: a78aeFeatures},
		{cores: 4, implementer: 0x41, part: 0xd42, minKHz: 115200, maxKHz: 2201600, capacity: 1024, features: a78aeFeatures},
	},
	memory:  64 << 30,
	zones:   []string{"cpu-thermal", "gpu-thermal", "soc0-thermal", "soc1-thermal", "soc2-thermal", "tj-thermal"},
	cooling: []string{"cpufreq-cpu0", "cpufreq-cpu4", "cpufreq-cpu8"},
	thermal: thermal{ambientC: 40, riseC: 18, tauS: 6, throttleC: 99},
	supply:  supply{volts: 19.0, ohms: 0.02, sagV: 17.0},
	sensor:  sensorHwmon,
	rails: []rail{
		{name: "VDD_GPU_SOC", volts: 19.0, idle: 3.20, full: 1.20},
		{name: "VDD_CPU_CV", volts: 19.0, idle: 0.80, full: 14.0},
		{name: "VIN_SYS_5V0", volts: 5.0, idle: 3.60, full: 1.60},
		{name: "VDDQ_VDD2_1V8AO", volts: 5.0, idle: 0.70, full: 1.10, inInput: true},
	},
	modes: []mode{{"MAXN", 1}, {"15W", 0.5}, {"30W", 0.77}, {"50W", 0.67}},
}
