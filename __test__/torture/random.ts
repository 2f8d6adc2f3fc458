export { Random } from '../helpers/random.js';
