exports.triple = (n) => n * 3;
exports.later = async (n) => n * 4;
