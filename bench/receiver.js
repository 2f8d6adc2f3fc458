// Counts messages: first how many there will be, then those.
let left = 0;
process.on('message', (message) => {
  if (typeof message === 'number') left = message;
  else if (--left === 0) process.send('all');
});
