const depth = 50;                                                                                                                                                                                                                            console.log("inert");
module.exports = { depth };
