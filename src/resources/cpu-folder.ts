/** Where /sys has its CPUs. */
export const CPUS = 'sys/devices/system/cpu';
