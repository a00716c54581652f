import { stat, statfs } from 'node:fs/promises';
import { RESOURCE_LIMITS } from './limits.ts';
import type { MachineTree } from './machine-tree.ts';
import { plainText } from './plain-text.ts';
import type { FilesystemUse } from './types.ts';

/** File systems on disks of this machine. Asking one of the network may take for ever when its server is gone. */
const LOCAL_TYPES = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'vfat', 'exfat', 'bcachefs', 'zfs']);

/**
 * How full the machine's file systems are. Below another root a file system is only measured when the one that is found
 * there is the one that was meant: a container may see its host's list of mounts and have its own disks at those paths.
 */
export async function readFilesystems(tree: MachineTree, root: string): Promise<FilesystemUse[]> {
  // The first process sees the machine's mounts; where it is nobody's business, our own are as good.
  const mountinfo = (await tree.lines('proc/1/mountinfo')) ?? (await tree.lines('proc/self/mountinfo')) ?? '';
  const found = await Promise.all(wholeMounts(mountinfo).map((mount) => measure(root.replace(/\/+$/, ''), mount)));
  return found.filter((use) => use !== undefined);
}

interface Mount {
  readonly device: string;
  readonly mountedAt: string;
  readonly type: string;
  /** major:minor, as stat has it too; btrfs gives each subvolume another. */
  readonly number: string;
}

/** Each local file system once, where it is mounted whole (proc_pid_mountinfo(5)), by the shortest path. */
function wholeMounts(mountinfo: string): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const line of mountinfo.split('\n')) {
    const [mounted = '', filesystem = ''] = line.split(' - ');
    const [, , number = '', part = '', mountedAt = ''] = mounted.split(' ').map(unescapePath);
    const [type = '', device = ''] = filesystem.split(' ').map(unescapePath);
    // A part of one is a folder that a container was given, or btrfs, where the whole is seldom mounted.
    if (!LOCAL_TYPES.has(type) || (part !== '/' && type !== 'btrfs')) continue;
    const known = byDevice.get(device);
    if (known !== undefined && known.mountedAt.length <= mountedAt.length) continue;
    if (known !== undefined || byDevice.size < RESOURCE_LIMITS.devicesMax) {
      byDevice.set(device, { device, mountedAt, type, number });
    }
  }
  return [...byDevice.values()];
}

async function measure(root: string, { device, mountedAt, type, number }: Mount): Promise<FilesystemUse | undefined> {
  const path = `${root}${mountedAt}`;
  try {
    if (root !== '' && deviceNumber((await stat(path)).dev) !== number) return undefined;
    const { bsize, blocks, bavail } = await statfs(path);
    return {
      mountedAt: plainText(mountedAt) ?? '',
      device: plainText(device) ?? '',
      type,
      totalBytes: blocks * bsize,
      availableBytes: bavail * bsize,
    };
  } catch (_notReachable) {
    // Mounted where we may not look, or gone since: it is left out like any other fact that cannot be read.
    return undefined;
  }
}

/** Linux's packing of major and minor into st_dev (glibc's gnu_dev_major). */
function deviceNumber(dev: number): string {
  const bits = BigInt(dev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n);
  const minor = (bits & 0xffn) | ((bits >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** Spaces and their like are octal in mount lists: `\040`. */
function unescapePath(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
