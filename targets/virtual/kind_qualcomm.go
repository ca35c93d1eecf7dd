package virtual

const (
	a55Features  = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
	gen2Features = a55Features + " sha3 sm3 sm4 asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16 bti"
)

// rb3 is a Qualcomm RB3 Gen 2 on its 12 V brick; it has no documented rail
// monitor, so an INA226 stands in the lead.
var rb3 = spec{
	kind: "rb3gen2", model: "Qualcomm Technologies, Inc. Robotics RB3gen2", compatible: []string{"qcom,qcs6490-rb3gen2", "qcom,qcm6490"},
	user: "ubuntu", home: "/home/ubuntu", port: 22, kernel: "6.8.0-1020-qcom", qemu: "cortex-a76",
	clusters: []cluster{
		{cores: 4, implementer: 0x41, part: 0xd05, minKHz: 300000, maxKHz: 1958400, capacity: 378, features: a55Features},
		{cores: 3, implementer: 0x41, part: 0xd41, minKHz: 691200, maxKHz: 2400000, capacity: 908, features: a55Features},
		{cores: 1, implementer: 0x41, part: 0xd41, minKHz: 806400, maxKHz: 2707200, capacity: 1024, features: a55Features},
	},
	memory:  6 << 30,
	zones:   []string{"cpu0-thermal", "cpu4-thermal", "cpu7-thermal", "cpuss0-thermal", "gpuss0-thermal", "ddr-thermal", "aoss0-thermal"},
	cooling: []string{"cpufreq-cpu0", "cpufreq-cpu4", "cpufreq-cpu7"},
	thermal: thermal{ambientC: 39, riseC: 24, tauS: 4, throttleC: 90},
	supply:  supply{volts: 12.0, ohms: 0.05, sagV: 10.2},
	sensor:  sensorController,
	rails:   []rail{{name: "12V_IN", volts: 12.0, idle: 3.60, full: 5.60}},
}

// phone is an Android phone of 2023 with Termux's SSH server and readable
// fuel gauge, unplugged.
var phone = spec{
	kind: "phone", model: "Qualcomm Technologies, Inc. Kalama MTP", compatible: []string{"qcom,kalama-mtp", "qcom,kalama", "qcom,mtp"},
	user: "u0_a217", home: "/data/data/com.termux/files/home", port: 8022, kernel: "5.15.123-android13-8", qemu: "max,pauth-impdef=on",
	clusters: []cluster{
		{cores: 3, implementer: 0x41, part: 0xd46, minKHz: 307200, maxKHz: 2016000, capacity: 325, features: gen2Features},
		{cores: 2, implementer: 0x41, part: 0xd47, minKHz: 499200, maxKHz: 2803200, capacity: 810, features: gen2Features},
		{cores: 2, implementer: 0x41, part: 0xd4d, minKHz: 499200, maxKHz: 2803200, capacity: 870, features: gen2Features},
		{cores: 1, implementer: 0x41, part: 0xd4e, minKHz: 595200, maxKHz: 3187200, capacity: 1024, features: gen2Features},
	},
	memory:  8 << 30,
	zones:   []string{"cpu-1-0-usr", "cpu-0-0-usr", "gpuss-0-usr", "skin-msm-therm", "xo-therm"},
	cooling: []string{"thermal-cpufreq-0", "thermal-cpufreq-3", "thermal-cpufreq-7"},
	thermal: thermal{ambientC: 33, riseC: 28, tauS: 5, throttleC: 75},
	supply:  supply{volts: 3.95, ohms: 0.06, sagV: 3.25},
	sensor:  sensorBattery,
	rails:   []rail{{name: "battery", volts: 3.95, idle: 0.70, full: 5.30}},
	props: `[ro.board.platform]: [kalama]
[ro.build.version.release]: [13]
[ro.product.manufacturer]: [Qualcomm]
[ro.product.model]: [Kalama MTP]
[ro.soc.manufacturer]: [QTI]
[ro.soc.model]: [SM8550]
`,
}
