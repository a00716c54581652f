import type { MachineTree } from './machine-tree.ts';
import { firmwareText, parseUevent, plainText } from './plain-text.ts';
import type { SerialPort, UsbDevice } from './types.ts';

const DEVICES = 'sys/bus/usb/devices';

/** What is plugged into USB, hubs included; not the controllers' own root hubs (`usb1`) nor a device's interfaces (`1-1:1.0`). */
export async function readUsb(tree: MachineTree): Promise<UsbDevice[]> {
  const ports = tree.names(DEVICES).filter((name) => /^\d+-[\d.]+$/.test(name));
  const found = await Promise.all(tree.some(ports, 'USB devices').map((port) => readDevice(tree, port)));
  return found.filter((device) => device !== undefined);
}

async function readDevice(tree: MachineTree, port: string): Promise<UsbDevice | undefined> {
  const folder = `${DEVICES}/${port}`;
  const [vendorId, productId, vendor, product, serial, speed] = await Promise.all(
    ['idVendor', 'idProduct', 'manufacturer', 'product', 'serial', 'speed'].map((file) =>
      tree.text(`${folder}/${file}`),
    ),
  );
  const id = `${vendorId}:${productId}`;
  if (!/^[0-9a-f]{4}:[0-9a-f]{4}$/.test(id)) return undefined;
  // 1.5 is the slowest: not a whole number.
  const speedMbps = /^\d{1,6}(\.\d)?$/.test(speed ?? '') ? Number(speed) : undefined;
  return { port, id, vendor, product, serial: serial === undefined ? undefined : firmwareText(serial), speedMbps };
}

const TERMINALS = 'sys/class/tty';

/** Serial ports: terminals with a device behind them. The PC's four ttyS… are there as names even where no port is. */
export async function readSerialPorts(tree: MachineTree): Promise<SerialPort[]> {
  const names = tree.names(TERMINALS).filter((name) => /^tty[A-Z]+[A-Za-z]*\d+$/.test(name));
  const found = await Promise.all(tree.some(names, 'serial ports').map((name) => readPort(tree, name)));
  return found.filter((port) => port !== undefined);
}

async function readPort(tree: MachineTree, name: string): Promise<SerialPort | undefined> {
  const folder = `${TERMINALS}/${name}`;
  const [uevent, where, type] = await Promise.all([
    tree.lines(`${folder}/device/uevent`),
    tree.link(`${folder}/device`),
    tree.text(`${folder}/type`),
  ]);
  // Type 0 is PORT_UNKNOWN (include/uapi/linux/serial_core.h): nothing answered at that address.
  if (where === undefined || type === '0') return undefined;
  const driver = plainText(parseUevent(uevent).get('DRIVER') ?? '');
  return {
    name: plainText(name) ?? '',
    // Since Linux 6.5 a bus of its own stands between, on which every port has the driver "port".
    driver: driver === 'port' ? undefined : driver,
    usbPort: /(?:^|\/)(\d+-[\d.]+):[\d.]+(?:\/|$)/.exec(where)?.[1],
  };
}
