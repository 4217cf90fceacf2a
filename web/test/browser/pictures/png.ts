// Makes the PNG of a screenshot small: a palette of 256 colours instead of three bytes a pixel. A page has few
// colours; those of an emoji become the nearest of the palette.
//
// Reads what Chromium writes and nothing else: 8 bits a channel, no transparency, not interlaced.
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const TRUE_COLOUR = 2;
const PALETTE = 3;
const COLOURS = 256;

export function compressed(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const palette = frequentColours(pixels);
  const index = nearestIn(palette);
  // Each row begins with its filter; none is best for a palette.
  const rows = Buffer.alloc((width + 1) * height);
  for (let at = 0, y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) rows[y * (width + 1) + x + 1] = index(pixels, at);
  }
  return encode(width, height, palette, rows);
}

interface Image {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, row by row. */
  readonly pixels: Buffer;
}

function decode(png: Buffer): Image {
  const parts: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") {
      parts.push(png.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const [width, height, depth, colours] = [
    png.readUInt32BE(16),
    png.readUInt32BE(20),
    png[24],
    png[25],
  ];
  if (depth !== 8 || colours !== TRUE_COLOUR) throw new Error("not a screenshot of Chromium");
  return { width, height, pixels: unfiltered(inflateSync(Buffer.concat(parts)), width, height) };
}

/** PNG 1.2, section 6: each byte is stored as its difference from a prediction. */
function unfiltered(rows: Buffer, width: number, height: number): Buffer {
  const stride = width * 3;
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < 3 ? 0 : pixels[at - 3]!;
      const up = y === 0 ? 0 : pixels[at - stride]!;
      const corner = x < 3 || y === 0 ? 0 : pixels[at - stride - 3]!;
      const predicted = prediction(filter, left, up, corner);
      pixels[at] = rows[y * (stride + 1) + 1 + x]! + predicted;
    }
  }
  return pixels;
}

function prediction(filter: number | undefined, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    default:
      return paeth(left, up, corner);
  }
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

const colourAt = (pixels: Buffer, at: number): number =>
  (pixels[at]! << 16) | (pixels[at + 1]! << 8) | pixels[at + 2]!;

/** The most frequent colours, of each of which many shades count as one. */
function frequentColours(pixels: Buffer): readonly number[] {
  const exact = new Map<number, number>();
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = colourAt(pixels, at);
    exact.set(colour, (exact.get(colour) ?? 0) + 1);
  }
  const shades = new Map<number, { colour: number; most: number; count: number }>();
  for (const [colour, count] of exact) {
    const shade = colour & 0xf0f0f0;
    const found = shades.get(shade);
    if (!found) shades.set(shade, { colour, most: count, count });
    else {
      found.count += count;
      if (count > found.most) [found.colour, found.most] = [colour, count];
    }
  }
  // Large areas keep their exact colour, also when two of them are nearly the same.
  const areas = [...exact].filter(([, count]) => count > pixels.length / 3 / 1_000);
  const frequent = [...shades.values()].sort((a, b) => b.count - a.count || a.colour - b.colour);
  const all = new Set([
    ...areas.map(([colour]) => colour),
    ...frequent.map(({ colour }) => colour),
  ]);
  return [...all].slice(0, COLOURS);
}

function nearestIn(palette: readonly number[]): (pixels: Buffer, at: number) => number {
  const known = new Map(palette.map((colour, index) => [colour, index]));
  const distance = (a: number, b: number): number => {
    const red = (a >> 16) - (b >> 16);
    const green = ((a >> 8) & 255) - ((b >> 8) & 255);
    const blue = (a & 255) - (b & 255);
    // The eye sees green best.
    return 2 * red * red + 4 * green * green + 3 * blue * blue;
  };
  return (pixels, at) => {
    const colour = colourAt(pixels, at);
    const found = known.get(colour);
    if (found !== undefined) return found;
    let nearest = 0;
    for (let index = 1; index < palette.length; index++) {
      if (distance(colour, palette[index]!) < distance(colour, palette[nearest]!)) nearest = index;
    }
    known.set(colour, nearest);
    return nearest;
  };
}

function encode(width: number, height: number, palette: readonly number[], rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, PALETTE], 8);
  const colours = Buffer.from(palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(content.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}
