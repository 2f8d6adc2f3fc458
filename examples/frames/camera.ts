/** A camera that sees a bright ball in front of a dark wall. */
export const WIDTH = 1280;
export const HEIGHT = 720;
const RADIUS = 12;

/** Where the ball's centre is. */
export function place(frame: number): { row: number; column: number } {
  const bounce = (at: number, room: number): number => RADIUS + Math.abs((at % (2 * room)) - room);
  return {
    row: bounce(7 * frame, HEIGHT - 2 * RADIUS - 1),
    column: bounce(11 * frame, WIDTH - 2 * RADIUS - 1),
  };
}

/** A frame, `HEIGHT` rows of `WIDTH` pixels. */
export function draw(pixels: Uint8Array, frame: number): void {
  const { row, column } = place(frame);
  pixels.fill(20);
  for (let down = -RADIUS; down <= RADIUS; down++) {
    const half = Math.floor(Math.sqrt(RADIUS ** 2 - down ** 2));
    const middle = (row + down) * WIDTH + column;
    pixels.fill(240, middle - half, middle + half + 1);
  }
}
